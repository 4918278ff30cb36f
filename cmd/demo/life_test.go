package main

import (
	"net/url"
	"path"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/go-git/go-git/v5/plumbing/object"
)

const (
	// pledgingTakes is how long people at least can pledge; the form has whole minutes.
	pledgingTakes = 100 * time.Second
	// deadlinesWithin bounds how long a deadline of the terms is waited for.
	deadlinesWithin = 5 * time.Minute
)

// wholeLife is a feature from the idea to the payout, as its backer and its developer see it:
// they see nothing but pages, and the developer a folder with code.
func wholeLife(t *testing.T, s *showing) {
	const title = "Maps of every concert"
	developer := s.visit(t, "omar-builds.test", "/claim")
	developer.Fill("Name", "Bandstand")
	developer.Fill("Short name", "bandstand")
	developer.Fill("Where it lives", "website https://bandstand.example/")
	developer.Press("Sign the project")
	developer.Reach("/project/")
	developer.See("Bandstand")
	project := developer.Path()
	onboarded(developer)

	backer := s.visit(t, "tomas-backs.test", project)
	backer.Go("/propose?subject=" + url.QueryEscape(project))
	backer.Fill("The feature in a few words", title)
	backer.See("Is it one of these?") // while it is typed
	backer.See(liveTitle)
	backer.Inspect("propose-while-typing")
	backer.Fill("What it should do", "Who plays where tonight, on one page.")
	backer.Press("Sign the proposal")
	backer.See("Nothing is written yet.")
	backer.Press("Sign the proposal")
	backer.Reach("/p/")
	backer.See(title)
	page := "/p/tomas-backs.test/" + path.Base(backer.Path())
	backer.Go(page + "/estimate")
	backer.Fill("Amount", "20")
	backer.Press("Sign the estimate")
	backer.Arrive(page)
	backer.See("$20")

	developer.Go(page)
	developer.Press("Start to build it")
	developer.Fill("What you will deliver", "A page that knows what is on.")
	developer.Fill("Goal", "40")
	developer.Choose("The demo's escrow")
	developer.Press("Sign, and start")
	developer.Arrive(page)
	developer.See("A page that knows what is on.")

	// In private.
	code := &forge{dir: filepath.Join(s.dataDir, "forge"), url: s.said(`code and previews (\S+)`)}
	made := built(t, code, title)

	developer.Go(page + "/preview")
	developer.Fill("Where it runs", code.preview(title))
	developer.Fill("How to reach the feature", "Open the page.")
	now := time.Now()
	developer.FillMoment("Opens", now.Truncate(time.Minute))
	developer.FillMoment("Closes", now.Add(pledgingTakes+time.Minute).Truncate(time.Minute))
	developer.Fill("Git tree that it runs", made.tree)
	developer.Press("Sign the preview")
	developer.Arrive(page)
	developer.See("Open the page.")

	backer.Go(page)
	backer.SeeAfterReload("Pledge for its release")
	backer.Press("Pledge for its release")
	backer.Fill("Amount", "40")
	backer.Choose("I know that this stays public")
	backer.Press("Sign the pledge")
	backer.Reach("/me/pledge/")
	pledge := backer.Path()
	backer.Press("Go on to pay $40")
	payCard(backer, cardSucceeds)
	backer.Press("Go to 127.0.0.1")
	backer.See("Your money is held")

	developer.Go(page + "/release")
	developer.SeeInTime("The pot is final: $40", deadlinesWithin)
	if err := code.publish(title); err != nil {
		t.Fatal(err)
	}
	developer.Fill("Public git repository", code.repository(title))
	developer.Fill("Commit", made.commit)
	developer.Fill("Branch or tag", branch)
	developer.Fill("Licence", "MIT")
	developer.Press("Sign the release")
	developer.Arrive(page)

	backer.Go(page + "/verify")
	backer.SeeInTime("Say what you found in the release", deadlinesWithin)
	backer.Choose("It does what the preview showed")
	backer.Press("Sign what you found")
	backer.Arrive(page)
	backer.See("It matches")
	backer.Inspect("life-verification")

	backer.SeeInTime("paid to the developers", deadlinesWithin)
	backer.Inspect("life-paid-out")
	backer.Go(pledge)
	backer.SeeAfterReload("the developers have your money. Thank you.")
	backer.Inspect("life-pledge-released")
	developer.Go(page)
	developer.See("Completed")
	developer.See("The money of a pledge was paid out to the developers. $40")
	if got := s.becomes(4000); !slices.Equal(got, []string{"held", "releasing", "released"}) {
		t.Errorf("the receipts say %q", got)
	}
}

// built commits to the developer's repository, which nobody else sees yet.
func built(t *testing.T, to *forge, title string) revision {
	t.Helper()
	if err := to.begin(title); err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	for _, name := range []string{pageFile, licenseFile} {
		content, err := code.ReadFile("code/" + name)
		if err != nil {
			t.Fatal(err)
		}
		files[name] = content
	}
	made, err := to.commit(title, "Draw the concerts", object.Signature{Name: "omar", Email: "code@omar-builds.test", When: time.Now()}, files)
	if err != nil {
		t.Fatal(err)
	}
	return made
}
