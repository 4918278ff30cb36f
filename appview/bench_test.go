package appview_test

import (
	"slices"
	"testing"
	"time"

	"github.com/stratosfund/stratosfund/indexer/atmosphere/atmospheretest"
	"github.com/stratosfund/stratosfund/lexicons"
)

// BenchmarkCommitToVisible measures, against a real PDS, how long after its
// commit a record is in getProposal. The PDS commits some time between the
// request and its answer, so the two figures bound the truth: after-answer from
// below, after-request (which includes the PDS's own work) from above.
func BenchmarkCommitToVisible(b *testing.B) {
	network := atmospheretest.Shared(b)
	author := atmospheretest.NewAccount(b, network, "author")
	client := startAppView(b, network)
	// The first record of a repository makes it be fetched whole; it is not
	// what is measured.
	first := mustCreate(b, author, lexicons.CollectionProposal, proposalFor(aboutURI("https://example.org/"), "First"))
	eventually(b, "the repository is followed", func() bool { return getProposal(b, client, first.Uri) != nil })

	var afterRequest, afterAnswer []time.Duration
	for b.Loop() {
		asked := time.Now()
		ref := mustCreate(b, author, lexicons.CollectionProposal, proposalFor(aboutURI("https://example.org/"), "Measured"))
		answered := time.Now()
		eventually(b, "the record is shown", func() bool { return getProposal(b, client, ref.Uri) != nil })
		visible := time.Now()
		afterRequest = append(afterRequest, visible.Sub(asked))
		afterAnswer = append(afterAnswer, visible.Sub(answered))
	}
	for name, samples := range map[string][]time.Duration{"after-request": afterRequest, "after-answer": afterAnswer} {
		slices.Sort(samples)
		b.ReportMetric(samples[len(samples)/2].Seconds()*1000, "ms-"+name+"-median")
		b.ReportMetric(samples[len(samples)*99/100].Seconds()*1000, "ms-"+name+"-p99")
	}
}
