package lexicons

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

// BenchmarkParseRecord parses what the indexer sees most, at the usual lengths.
func BenchmarkParseRecord(b *testing.B) {
	estimate := findExample(b, "valid/fund.stratos.feature.estimate/maximal.json")
	proposal := findExample(b, "valid/fund.stratos.feature.proposal/maximal.json")
	description, err := json.Marshal(strings.Repeat("My eyes hurt at night. ", 40))
	if err != nil {
		b.Fatal(err)
	}
	proposal.Record = bytes.Replace(proposal.Record, []byte(`"My eyes hurt at night."`), description, 1)
	for name, e := range map[string]example{"estimate": estimate, "proposal": proposal} {
		cbor := e.cbor(b)
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := ParseRecord(e.DID, e.collection, e.rkey(), cbor); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
