package sqlitetest

import "testing"

func TestOutOfOrder_FollowsFirstAppearance(t *testing.T) {
	t.Parallel()
	for statement, want := range map[string]bool{
		"SELECT $1, $2, $1": false, "SELECT $2, $1": true, "SELECT $1, $3": true, "SELECT 1": false,
	} {
		if _, bad := OutOfOrder(statement); bad != want {
			t.Errorf("%s: out of order %t, want %t", statement, bad, want)
		}
	}
}
