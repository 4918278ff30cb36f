package checks

import (
	"context"
	"fmt"

	"github.com/go-git/go-git/v5/plumbing"
)

// compareTrees wants the tree that the preview committed to.
func (r *run) compareTrees(ctx context.Context) (string, error) {
	name, err := r.nameTrees()
	if err != nil {
		return "", err
	}
	where := "the root"
	if r.commitment.Path != "" {
		where = r.commitment.Path
	}
	candidates := []plumbing.Hash{r.copy.Commit}
	if r.release.PreviewCommit != "" {
		preview, err := parseHash(r.release.PreviewCommit)
		if err != nil || !r.copy.commits[preview] {
			return "", fail("previewCommit %q is no ancestor of the commit %s: name the commit that the preview ran, and release it with its history.", r.release.PreviewCommit, r.copy.Commit)
		}
		candidates = append(candidates, preview)
	}
	var have string
	for _, candidate := range candidates {
		commit, err := r.copy.commit(ctx, candidate)
		if err != nil {
			return "", err
		}
		root, err := r.copy.treeOf(ctx, commit.TreeHash)
		if err != nil {
			return "", err
		}
		tree, ok := subtree(root, r.commitment.Path)
		if !ok {
			have = fmt.Sprintf("the commit %s has no folder %s", candidate, where)
			continue
		}
		named, err := name(ctx, tree.Hash)
		if err != nil {
			return "", err
		}
		if named == r.commitment.Tree {
			if r.release.PreviewCommit != "" {
				r.copy.PreviewCommit = candidates[1]
			}
			return fmt.Sprintf("The commit %s has the tree %s at %s, to which the preview committed.", candidate, named, where), nil
		}
		have = fmt.Sprintf("the commit %s has the tree %s at %s", candidate, named, where)
	}
	return "", fail("The preview committed to the tree %s, and %s: release the code that the preview ran, or name in previewCommit the ancestor that has its tree.", r.commitment.Tree, have)
}

// nameTrees is how trees are named by the algorithm of the commitment.
func (r *run) nameTrees() (func(context.Context, plumbing.Hash) (string, error), error) {
	switch r.commitment.Algorithm {
	case sha1Trees:
		return func(_ context.Context, tree plumbing.Hash) (string, error) { return tree.String(), nil }, nil
	case sha256Trees:
		return func(ctx context.Context, tree plumbing.Hash) (string, error) {
			return newRenaming(r.copy).tree(ctx, tree)
		}, nil
	}
	return nil, fail("The preview committed to a tree by the algorithm %q, which is not known here.", r.commitment.Algorithm)
}
