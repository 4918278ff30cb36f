package bench

import (
	"fmt"
	"io"
	"runtime"
	"strings"
	"time"
)

// The targets.
const (
	ofEcho      = 0.50
	ofAsk       = 0.60
	slowestOpen = 50 * time.Millisecond
	// ofIndexed: the stream may have begun a moment after the requests.
	ofIndexed = 0.97
)

// closedRow is what a kind of questions cost with so many clients.
type closedRow struct {
	kind                         kind
	clients                      int
	bytes                        int
	warm, again, cold, echo, ask figures
}

type openRow struct {
	kind    kind
	figures figures
}

// report is all that was found.
type report struct {
	load    string
	closed  []closedRow
	pages   []pageRow
	open    []openRow
	indexed float64
	skipped []string
}

// verdict says whether a target was met.
func verdict(ok bool, format string, args ...any) string {
	word := "ok"
	if !ok {
		word = "MISSED"
	}
	return fmt.Sprintf(format, args...) + " " + word
}

// share is a rate in percent of another.
func share(of, whole figures) string {
	if whole.PerSecond == 0 {
		return "-" // the machine was too busy to measure anything
	}
	return fmt.Sprintf("%.0f %%", 100*of.PerSecond/whole.PerSecond)
}

func ms(d time.Duration) string { return fmt.Sprintf("%.2f", float64(d.Microseconds())/1000) }

// printClosed writes the table of the closed loops.
func (r *report) printClosed(b *strings.Builder) {
	b.WriteString("\n### Closed loop\n\n")
	b.WriteString("Warm: the same questions come again. Again: they are about the same. Cold: nothing comes again. Echo answers with the same " +
		"bytes from memory; `queries` are the methods and their encoding without HTTP, cold. Times in milliseconds.\n\n")
	b.WriteString("| | connections | KiB | warm/s | p50 | p99 | echo/s | warm of echo (50 %) | again/s | cold/s | p50 | p99 | queries/s | cold of queries (60 %) |" +
		" CPU us: warm | echo | again | cold | queries |\n")
	b.WriteString("|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n")
	for _, row := range r.closed {
		ofEchos := share(row.warm, row.echo)
		if row.kind.firstPage {
			ofEchos = verdict(row.warm.PerSecond >= ofEcho*row.echo.PerSecond, "%s", ofEchos)
		}
		coldP99 := ms(row.cold.P99)
		if row.kind.search && row.clients == searchClients {
			coldP99 = verdict(row.cold.P99 < slowestOpen, "%s", coldP99)
		}
		fmt.Fprintf(b, "| %s | %d | %.1f | %.0f | %s | %s | %.0f | %s | %.0f | %.0f | %s | %s | %.0f | %s | %d | %d | %d | %d | %d |\n",
			row.kind.name, row.clients, float64(row.bytes)/1024,
			row.warm.PerSecond, ms(row.warm.P50), ms(row.warm.P99), row.echo.PerSecond, ofEchos,
			row.again.PerSecond, row.cold.PerSecond, ms(row.cold.P50), coldP99, row.ask.PerSecond,
			verdict(row.cold.PerSecond >= ofAsk*row.ask.PerSecond, "%s", share(row.cold, row.ask)),
			row.warm.CPU.Microseconds(), row.echo.CPU.Microseconds(), row.again.CPU.Microseconds(), row.cold.CPU.Microseconds(), row.ask.CPU.Microseconds())
	}
}

// print writes Markdown.
func (r *report) print(out io.Writer, cfg Config) error {
	var b strings.Builder
	fmt.Fprintf(&b, "\n%d processors, %s, load before the run: %s\n%s\n", runtime.NumCPU(), runtime.Version(), r.load, cfg.Size)
	if len(r.closed) > 0 {
		r.printClosed(&b)
	}
	if len(r.pages) > 0 {
		b.WriteString("\n### Pages\n\nOne visitor after the other, without HTTP. Anew: as after each write. Times in milliseconds.\n\n")
		b.WriteString("| | KiB | anew p50 (bar 10) | p99 | CPU us | kept p50 | p99 | CPU us |\n|---|---:|---:|---:|---:|---:|---:|---:|\n")
		for _, row := range r.pages {
			fmt.Fprintf(&b, "| %s | %.1f | %s | %s | %d | %s | %s | %d |\n", row.Name, float64(row.Bytes)/1024,
				verdict(row.Fresh.P50 < slowestPage, "%s", ms(row.Fresh.P50)), ms(row.Fresh.P99), row.Fresh.CPU.Microseconds(),
				ms(row.Kept.P50), ms(row.Kept.P99), row.Kept.CPU.Microseconds())
		}
	}
	if len(r.open) > 0 {
		fmt.Fprintf(&b, "\n### Open loop: %d requests/s, %s of %d records/s indexed\n\n", cfg.Rate,
			verdict(r.indexed >= ofIndexed*float64(cfg.Indexed), "%.0f", r.indexed), cfg.Indexed)
		b.WriteString("| | answered/s | p50 | p99 (under 50) |\n|---|---:|---:|---:|\n")
		for _, row := range r.open {
			fmt.Fprintf(&b, "| %s | %.0f | %s | %s |\n", row.kind.name, row.figures.PerSecond, ms(row.figures.P50),
				verdict(row.figures.P99 < slowestOpen, "%s", ms(row.figures.P99)))
		}
	}
	for _, name := range r.skipped {
		fmt.Fprintf(&b, "\n- %s is not served by this version, and was not measured.\n", name)
	}
	_, err := io.WriteString(out, b.String())
	return err
}
