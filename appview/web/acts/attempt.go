package acts

import (
	"encoding/json"
	"time"

	comatproto "github.com/bluesky-social/indigo/api/atproto"
	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/appview/web"
	"github.com/stratosfund/stratosfund/appview/web/session"
	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	"github.com/stratosfund/stratosfund/lexicons"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
)

// The fields of what a developer shows and releases.
const (
	fieldURI           = "uri"
	fieldInstructions  = "instructions"
	fieldOpens         = "opens"
	fieldCloses        = "closes"
	fieldTree          = "tree"
	fieldTreePath      = "tree-path"
	fieldRepository    = "repository"
	fieldCommit        = "commit"
	fieldRef           = "ref"
	fieldPreviewCommit = "preview-commit"
	fieldLicense       = "license"
	fieldPath          = "path"
	fieldNotes         = "notes"
)

// sha256Hex is how long an object id of the longer kind is.
const sha256Hex = 64

// soon is how far ahead a preview is offered to open, and lasting how long to be open.
const (
	soon    = time.Hour
	lasting = 14 * 24 * time.Hour
)

var preview = act{act: lifecycle.ActPreview, purpose: session.Building,
	form: func(p *place) Form {
		was := partOf[stratos.WorkPreview](p.own(), func(v *stratos.FeatureDefs_AttemptView) *stratos.FeatureDefs_RecordView { return v.Preview })
		if was.OpensAt == "" {
			was.OpensAt, was.ClosesAt = stamp(p.now.Add(soon)), stamp(p.now.Add(soon+lasting))
		}
		if was.Commitment == nil {
			was.Commitment = &stratos.WorkPreview_Commitment{}
		}
		if frozen(p.own()) {
			return Form{
				Title: "Correct the preview",
				Lead: []string{
					"It has to be reachable until the attempt is over; the escrow watches that and publishes what it saw.",
					"What was agreed is frozen. You can correct where it runs and how it is reached, and everybody sees that you did.",
				},
				Fields: []Field{whereField(was), howField(was)},
				Button: "Sign the correction",
			}
		}
		return Form{
			Title: "Announce the preview",
			Lead: []string{
				"People pledge because they see it working, so it has to be reachable until the attempt is over; the escrow watches that and publishes what it saw.",
				"When it opens, the escrow freezes what is agreed. After that you can correct the address and the instructions, and nothing else.",
			},
			Fields: []Field{
				whereField(was), howField(was),
				{Name: fieldOpens, Label: "Opens (UTC)", Kind: Moment, Value: momentText(was.OpensAt)},
				{Name: fieldCloses, Label: "Closes (UTC)", Hint: "Pledging ends. Then you decide whether what was pledged is enough.", Kind: Moment, Value: momentText(was.ClosesAt)},
				{Name: fieldTree, Label: "Git tree that it runs", Hint: "What git rev-parse HEAD^{tree} prints. It shows nothing of the code, and proves later that you released the same.", Kind: Text, Optional: true, Value: was.Commitment.Tree},
				{Name: fieldTreePath, Label: "Directory of that tree", Hint: "Only if it is not the whole repository.", Kind: Text, Optional: true, Value: textOf(was.Commitment.Path), Most: longest(lexicons.CollectionPreview, "commitment", "path")},
			},
			Button: "Sign the preview",
		}
	},
	read: func(p *place, in *input) change {
		if own := p.own(); frozen(own) {
			corrected := partOf[stratos.WorkPreview](own, func(v *stratos.FeatureDefs_AttemptView) *stratos.FeatureDefs_RecordView { return v.Preview })
			corrected.Uri, corrected.Instructions = in.text(fieldURI), in.text(fieldInstructions)
			return p.beside(&corrected, func(v *stratos.FeatureDefs_AttemptView) *stratos.FeatureDefs_RecordView { return v.Preview })
		}
		record := &stratos.WorkPreview{
			LexiconTypeID: lexicons.CollectionPreview.String(), Development: p.ownRef(), CreatedAt: stamp(p.now),
			Uri: in.text(fieldURI), Instructions: in.text(fieldInstructions),
			OpensAt: stamp(in.moment(fieldOpens)), ClosesAt: stamp(in.moment(fieldCloses)),
		}
		if record.ClosesAt <= record.OpensAt {
			in.bad(fieldCloses, "It has to close after it opens.")
		}
		if tree := in.maybe(fieldTree); tree != nil {
			record.Commitment = &stratos.WorkPreview_Commitment{Tree: *tree, Algorithm: "sha1", Path: in.maybe(fieldTreePath)}
			if len(*tree) == sha256Hex {
				record.Commitment.Algorithm = "sha256"
			}
		}
		return p.beside(record, func(v *stratos.FeatureDefs_AttemptView) *stratos.FeatureDefs_RecordView { return v.Preview })
	},
}

// frozen tells whether an escrow has opened the attempt's preview, which is still there.
func frozen(v *stratos.FeatureDefs_AttemptView) bool {
	return v != nil && v.Campaign != nil && v.Preview != nil
}

func whereField(was stratos.WorkPreview) Field {
	return Field{Name: fieldURI, Label: "Where it runs", Hint: "An https address that anybody can open.", Kind: URL, Value: was.Uri}
}

func howField(was stratos.WorkPreview) Field {
	return Field{
		Name: fieldInstructions, Label: "How to reach the feature, and what to look at", Kind: Long, Value: was.Instructions,
		Most: longest(lexicons.CollectionPreview, "instructions"), Spelling: true,
	}
}

var release = act{act: lifecycle.ActRelease, purpose: session.Building,
	form: func(p *place) Form {
		was := partOf[stratos.WorkRelease](p.own(), func(v *stratos.FeatureDefs_AttemptView) *stratos.FeatureDefs_RecordView { return v.Release })
		pot := "What was pledged is what you get, minus the escrow's fee."
		if own := p.own(); own != nil && own.Pot != nil {
			pot = "The pot is final: " + web.Amount(own.Pot.Amount, own.Pot.Currency) + ", of which the escrow keeps its fee."
		}
		return Form{
			Title: "Release the code",
			Lead: []string{
				pot + " Releasing is your decision: you may also give the attempt up, and everybody is refunded.",
				"Make the repository public first. The escrow clones it as anybody would, and checks commit, licence and what the preview committed to. If something is missing it says what, and you can correct it.",
			},
			Fields: []Field{
				{Name: fieldRepository, Label: "Public git repository", Hint: "An https address that git can clone.", Kind: URL, Value: was.Repository},
				{Name: fieldCommit, Label: "Commit", Hint: "The whole id, as git rev-parse prints it.", Kind: Text, Value: was.Commit},
				{Name: fieldRef, Label: "Branch or tag that holds it", Kind: Text, Optional: true, Value: textOf(was.Ref), Most: longest(lexicons.CollectionRelease, "ref")},
				{Name: fieldPreviewCommit, Label: "Commit with the tree of the preview", Hint: "Only if the released commit has another tree: an ancestor of it that is public, too.", Kind: Text, Optional: true, Value: textOf(was.PreviewCommit)},
				{Name: fieldLicense, Label: "Licence", Hint: "As SPDX writes it, such as MIT or Apache-2.0.", Kind: Text, Value: was.License, Most: longest(lexicons.CollectionRelease, "license")},
				{Name: fieldPath, Label: "Directory of the feature", Hint: "Only if it is not the whole repository.", Kind: Text, Optional: true, Value: textOf(was.Path), Most: longest(lexicons.CollectionRelease, "path")},
				{Name: fieldNotes, Label: "Release notes", Kind: Long, Optional: true, Value: textOf(was.Notes), Most: longest(lexicons.CollectionRelease, "notes"), Spelling: true},
			},
			Button: "Sign the release",
		}
	},
	read: func(p *place, in *input) change {
		return p.beside(&stratos.WorkRelease{
			LexiconTypeID: lexicons.CollectionRelease.String(), Development: p.ownRef(), CreatedAt: stamp(p.now),
			Repository: in.text(fieldRepository), Commit: in.text(fieldCommit), Ref: in.maybe(fieldRef), PreviewCommit: in.maybe(fieldPreviewCommit),
			License: in.text(fieldLicense), Path: in.maybe(fieldPath), Notes: in.maybe(fieldNotes),
		}, func(v *stratos.FeatureDefs_AttemptView) *stratos.FeatureDefs_RecordView { return v.Release })
	},
}

var cancel = act{act: lifecycle.ActCancel, purpose: session.Building,
	form: func(*place) Form {
		return Form{
			Title: "Give the attempt up",
			Lead:  []string{"You receive nothing, and everybody who pledged is refunded in full. This cannot be taken back; you or others can start anew."},
			Fields: []Field{
				{Name: fieldReason, Label: "Why", Kind: Long, Optional: true, Most: longest(lexicons.CollectionCancellation, "reason"), Spelling: true},
			},
			Button: "Sign, and give it up", Danger: true,
		}
	},
	read: func(p *place, in *input) change {
		return p.beside(&stratos.WorkCancellation{
			LexiconTypeID: lexicons.CollectionCancellation.String(), Development: p.ownRef(), CreatedAt: stamp(p.now), Reason: in.maybe(fieldReason),
		}, func(v *stratos.FeatureDefs_AttemptView) *stratos.FeatureDefs_RecordView { return v.Cancellation })
	},
}

// ownRef is the version of the visitor's attempt that is shown.
func (p *place) ownRef() comatproto.RepoStrongRef {
	own := p.own()
	if own == nil {
		return comatproto.RepoStrongRef{}
	}
	return comatproto.RepoStrongRef{Uri: own.Uri, Cid: own.Cid}
}

// part picks one of the records beside a development.
type part func(*stratos.FeatureDefs_AttemptView) *stratos.FeatureDefs_RecordView

// beside puts a record next to the development, under its key, in place of what is there.
func (p *place) beside(record lexicons.Record, which part) change {
	out := change{record: record, inPlace: true}
	own := p.own()
	if own == nil {
		return out
	}
	out.key = syntax.ATURI(own.Uri).RecordKey()
	if there := which(own); there != nil {
		out.replaces = there.Cid
	}
	return out
}

// partOf reads a record beside an attempt, or an empty one.
func partOf[T any](v *stratos.FeatureDefs_AttemptView, which part) (out T) {
	if v == nil || which(v) == nil {
		return out
	}
	if err := json.Unmarshal(which(v).Record, &out); err != nil {
		var none T
		return none
	}
	return out
}

// momentText writes a record's time as the field has it.
func momentText(datetime string) string {
	at, err := syntax.ParseDatetimeLenient(datetime)
	if err != nil {
		return ""
	}
	return at.Time().UTC().Format(momentFormat)
}

func textOf(maybe *string) string {
	if maybe == nil {
		return ""
	}
	return *maybe
}
