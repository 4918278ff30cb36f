package bounded

import "testing"

func TestCache_KeepsWhatWasUsedLastWithinItsBytes(t *testing.T) {
	t.Parallel()
	c := New(10, func(k, v string) int { return len(k) + len(v) })
	c.Put("a", "1234")
	c.Put("b", "1234")
	c.Put("a", "12") // in place of the other
	if got := c.Bytes(); got != 8 {
		t.Errorf("%d bytes, want 8", got)
	}
	if v, ok := c.Get("b"); !ok || v != "1234" {
		t.Errorf("b is %q, %t", v, ok)
	}
	c.Put("c", "12")
	for k, want := range map[string]bool{"a": false, "b": true, "c": true} {
		if _, ok := c.Get(k); ok != want {
			t.Errorf("%s is kept: %t", k, ok)
		}
	}
	c.Put("d", "123456789012")
	if got := c.Bytes(); got != 0 {
		t.Errorf("%d bytes after one that is larger than all may be", got)
	}
}
