package bench

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
)

// table is a part of the report.
type table struct {
	title, about string
	rows         []row
	notes        []string
}

type row struct {
	name    string
	figures Figures
}

// report prints all tables as Markdown.
func report(out io.Writer, tables []table) error {
	var b strings.Builder
	fmt.Fprintf(&b, "\n%s, %d processors, %s\n", processor(), runtime.NumCPU(), runtime.Version())
	for _, t := range tables {
		fmt.Fprintf(&b, "\n### %s\n\n%s\n\n", t.title, t.about)
		b.WriteString("| | events/s | seconds | CPU s | CPU us/event | peak MB | times tap's events/s | tap takes so much CPU |\n")
		b.WriteString("|---|---:|---:|---:|---:|---:|---:|---:|\n")
		for _, r := range t.rows {
			f := r.figures
			rate, cpu := t.ratios(f)
			fmt.Fprintf(&b, "| %s | %.0f | %.2f | %.2f | %.2f | %d | %s | %s |\n", r.name, f.PerSecond(), f.Elapsed.Seconds(),
				f.CPU.Seconds(), float64(f.PerEvent().Nanoseconds())/1000, f.Peak>>20, rate, cpu)
		}
		for _, n := range t.notes {
			fmt.Fprintf(&b, "\n- %s\n", n)
		}
	}
	_, err := io.WriteString(out, b.String())
	return err
}

// ratios says how many times tap's rate the figures are, and how many times as
// much CPU tap takes; nothing in a table without tap, or where the CPU is less
// than the kernel's clock can tell.
func (t table) ratios(f Figures) (rate, cpu string) {
	for _, r := range t.rows {
		if r.name != (Tap{}).Name() {
			continue
		}
		rate = fmt.Sprintf("%.1fx", f.PerSecond()/r.figures.PerSecond())
		if f.CPU > 0 {
			cpu = fmt.Sprintf("%.1fx", r.figures.CPU.Seconds()/f.CPU.Seconds())
		}
	}
	return rate, cpu
}

// processor is what the kernel calls it.
func processor() string {
	raw, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return runtime.GOARCH // elsewhere than on Linux, where nothing else here works either
	}
	for line := range strings.Lines(string(raw)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}
