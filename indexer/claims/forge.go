package claims

import (
	"slices"
	"strings"
)

// forges are hosts where everybody keeps repositories. A proof of such a host
// covers nothing, whatever its pages answer to git. The list makes the well-known
// ones certain; it need not be complete, since any host is asked.
var forges = []string{
	"bitbucket.org", "codeberg.org", "dev.azure.com", "framagit.org", "git.kernel.org", "gitea.com", "gitee.com",
	"github.com", "gitlab.com", "gitlab.gnome.org", "googlesource.com", "huggingface.co", "invent.kde.org",
	"launchpad.net", "notabug.org", "salsa.debian.org", "savannah.gnu.org", "savannah.nongnu.org", "sourceforge.net",
	"sr.ht", "tangled.org", "tangled.sh",
}

func isForge(host string) bool {
	return slices.ContainsFunc(forges, func(forge string) bool { return host == forge || strings.HasSuffix(host, "."+forge) })
}
