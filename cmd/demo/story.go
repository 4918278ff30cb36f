package main

import (
	comatproto "github.com/bluesky-social/indigo/api/atproto"

	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	"github.com/stratosfund/stratosfund/lexicons"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
)

// plot is what the scenes share.
type plot struct {
	*teller
	skylight, atlas comatproto.RepoStrongRef
	trusted         playedEscrow
}

// story is told in the order of the stages, the last first. Days are counted back
// from the telling.
func (t *teller) story() {
	s := &plot{teller: t}
	s.projects()
	s.trusted = t.establish(t.escrow, "An account that plays the escrow")
	s.completed()
	s.completedInEuros()
	s.settling()
	s.disputed()
	s.verification()
	s.closed()
	s.checking()
	s.preview()
	s.refunding()
	s.refunded()
	s.development()
	s.announced()
	s.untrusted()
	s.declined()
	s.proposed()
}

func (s *plot) projects() {
	s.skylight = s.putAs(s.maya, "skylight", &stratos.ProjectProfile{
		LexiconTypeID: lexicons.CollectionProject.String(),
		Name:          "Skylight", Description: ref("A calm client for the Atmosphere."), License: ref("MIT"),
		Uris:        []stratos.ProjectProfile_Uri{{Uri: "https://" + s.maya.Handle.String() + "/", Kind: "website"}},
		Maintainers: []stratos.ProjectProfile_Maintainer{{Did: s.omar.DID.String()}},
		Tags:        []string{"client", "mobile"}, CreatedAt: s.date(110),
	})
	s.atlas = s.putAs(s.lin, "atlas", &stratos.ProjectProfile{
		LexiconTypeID: lexicons.CollectionProject.String(),
		Name:          "Atlas", Description: ref("Draws maps of who talks with whom."), License: ref("Apache-2.0"),
		Uris: []stratos.ProjectProfile_Uri{{Uri: "https://" + s.lin.Handle.String() + "/", Kind: "website"}},
		Tags: []string{"maps"}, CreatedAt: s.date(105),
	})
}

// completed has everything that can happen to a proposal.
func (s *plot) completed() {
	threads := s.propose(s.ana, 75, lifecycle.StageCompleted, idea{
		"Whole threads on one page", "Long threads fall apart into twenty screens. Show them as one page that I can read, save and print.",
		forProject(s.skylight), []string{"reading", "threads"},
	})
	s.estimate(s.ana, 75, threads, 2500, "USD")
	s.estimate(s.ben, 74, threads, 1500, "USD")
	s.estimate(s.chloe, 73, threads, 90000, "USD") // counts up to the cap
	s.estimate(s.emi, 72, threads, 1800, "EUR")
	s.answer(s.maya, 70, threads, "planned", "We want this as well. It comes after the new editor.")
	a := s.develop(s.maya, 66, threads, s.trusted, plan{
		title: "Threads as one page", summary: "A reading view for threads: one page, with pictures, that can be saved and printed.",
		currency: "USD", goal: 20000, with: s.omar, share: 2500, expected: 52,
	})
	s.consent(s.omar, 65, a)
	s.donate(s.tomas, 60, a, 1000)
	s.donate(s.ben, 58, a, 500)
	s.announce(52, a, 50, 38, "Sign in with any account, open a thread of more than ten posts, and choose *Read as page*.")
	c := s.open(a)
	c.takes(s.ana, 49, 6000)
	c.takes(s.ben, 47, 4000)
	gone := c.takes(s.emi, 46, 2500)
	c.withdraws(gone, 44)
	c.takes(s.chloe, 40, 8000)
	gone.becomes(lifecycle.ReceiptRefunded, s.on(39), "withdrawn")
	c.closes()
	s.publish(34, a, "MIT")
	c.accepts(33)
	s.verify(s.ana, 32, a, true, "Built it from the tag. It is what the preview showed.")
	s.verify(s.tomas, 31, a, true, "The tests pass, and I keep a fork.")
	c.stops(30, s.dispute(s.ben, 30, a, "source-mismatch", "Printing is missing in the source."))
	c.rules(27, lifecycle.OutcomeRejected, "Printing is in `print.css`, and works in a build of the accepted commit. The tree is the one that the preview committed to.")
	c.settles(15)
	c.pays(11)
	c.keep()
}

// completedInEuros lost a pledge to a chargeback, which touched no other.
func (s *plot) completedInEuros() {
	offline := s.propose(s.emi, 98, lifecycle.StageCompleted, idea{
		"Maps without a network", "Let me take a map along, for the train.", forProject(s.atlas), []string{"maps", "offline"},
	})
	s.estimate(s.emi, 97, offline, 2500, "EUR")
	s.estimate(s.tomas, 95, offline, 2000, "EUR")
	a := s.develop(s.lin, 92, offline, s.trusted, plan{
		title: "Maps to take along", summary: "A map becomes one file that opens anywhere.", currency: "EUR", goal: 9000, expected: 80,
	})
	s.announce(80, a, 78, 66, "Draw a map and choose *Take along*.")
	c := s.open(a)
	c.takes(s.emi, 77, 5000)
	lost := c.takes(s.tomas, 75, 3000)
	c.takes(s.ana, 70, 4000)
	c.closes()
	lost.becomes(lifecycle.ReceiptChargedBack, s.on(64), "chargeback")
	s.publish(62, a, "Apache-2.0")
	c.accepts(61)
	s.verify(s.emi, 60, a, true, "The file opens in two browsers here.")
	c.settles(46)
	c.pays(42)
	c.keep()
}

func (s *plot) settling() {
	altText := s.propose(s.chloe, 60, lifecycle.StageSettling, idea{
		"Remind me of alt text", "Ask before a picture goes out without a description.", forProject(s.skylight), []string{"accessibility"},
	})
	s.estimate(s.chloe, 60, altText, 2000, "USD")
	s.estimate(s.tomas, 57, altText, 2500, "USD")
	a := s.develop(s.omar, 55, altText, s.trusted, plan{
		title: "Alt text reminders", summary: "A question before posting, which can be turned off.", currency: "USD", goal: 8000, expected: 42,
	})
	s.announce(42, a, 40, 28, "Post a picture without a description.")
	c := s.open(a)
	c.takes(s.chloe, 38, 4500)
	c.takes(s.tomas, 35, 5000)
	c.takes(s.ana, 31, 2000)
	c.closes()
	s.publish(20, a, "MIT")
	c.accepts(19)
	s.verify(s.chloe, 17, a, true, "Works like the preview.")
	c.settles(4)
	c.keep()
}

func (s *plot) disputed() {
	mute := s.propose(s.ben, 45, lifecycle.StageDisputed, idea{
		"Mute a word for a week", "Until the match is over.", forProject(s.skylight), []string{"moderation"},
	})
	s.estimate(s.ben, 45, mute, 1500, "USD")
	s.estimate(s.emi, 43, mute, 1000, "USD")
	a := s.develop(s.maya, 40, mute, s.trusted, plan{
		title: "Words muted for a time", summary: "Muted words that come back after an hour, a day or a week.", currency: "USD", goal: 10000, expected: 32,
	})
	s.announce(32, a, 30, 18, "Mute a word for an hour, and wait an hour.")
	c := s.open(a)
	c.takes(s.ben, 29, 3000)
	c.takes(s.chloe, 27, 2500)
	c.takes(s.emi, 22, 2000)
	c.closes()
	s.publish(12, a, "MIT")
	c.accepts(11)
	s.verify(s.tomas, 6, a, false, "Words stay muted for good.")
	c.stops(3, s.dispute(s.chloe, 3, a, "source-mismatch", "In a build of the release, words stay muted. In the preview they came back."))
	c.keep()
}

func (s *plot) verification() {
	svg := s.propose(s.tomas, 42, lifecycle.StageVerification, idea{
		"Maps as SVG", "So that they can be printed large.", forProject(s.atlas), []string{"maps", "export"},
	})
	s.estimate(s.tomas, 42, svg, 2500, "USD")
	s.estimate(s.ana, 38, svg, 10000, "USD") // counts in full: she has paid for a release
	a := s.develop(s.lin, 36, svg, s.trusted, plan{
		title: "SVG export", summary: "Maps as SVG, with names as text.", currency: "USD", goal: 15000, expected: 27,
	})
	s.announce(27, a, 26, 14, "Draw a map and choose *Export*.")
	c := s.open(a)
	c.takes(s.tomas, 25, 5000)
	c.takes(s.ana, 20, 7500)
	c.closes()
	s.publish(9, a, "Apache-2.0")
	c.accepts(8)
	s.verify(s.ana, 6, a, true, "Printed one at two metres. Sharp.")
	c.stops(5, s.dispute(s.tomas, 5, a, "license-not-open", "There is no licence in the folder of the exporter."))
	c.rules(3, lifecycle.OutcomeRejected, "The licence at the root covers the whole repository.")
	c.keep()
}

// closed waits for the developer, who has seen what is in the pot.
func (s *plot) closed() {
	drafts := s.propose(s.emi, 33, lifecycle.StageReleasing, idea{
		"Drafts on all my devices", "I begin on the phone and finish at the desk.", forProject(s.skylight), []string{"writing"},
	})
	s.estimate(s.emi, 33, drafts, 2500, "USD")
	s.estimate(s.ben, 31, drafts, 2000, "USD")
	a := s.develop(s.maya, 28, drafts, s.trusted, plan{
		title: "Drafts that travel", summary: "Drafts are private records, so every device has them.", currency: "USD", goal: 12000, expected: 18,
	})
	s.announce(18, a, 16, 4, "Write a draft, and sign in on another device.")
	c := s.open(a)
	c.takes(s.emi, 15, 4000)
	c.takes(s.ben, 12, 2500)
	c.takes(s.ana, 6, 3000)
	c.closes()
	c.keep()
}

// checking has a release that the escrow found something wrong with.
func (s *plot) checking() {
	start := s.propose(s.ana, 41, lifecycle.StageReleasing, idea{
		"Draw large maps faster", "Above a thousand people it takes minutes.", forProject(s.atlas), []string{"maps", "speed"},
	})
	s.estimate(s.ana, 41, start, 2500, "USD")
	a := s.develop(s.lin, 35, start, s.trusted, plan{
		title: "Large maps in seconds", summary: "Another layout, and only what is seen is drawn.", currency: "USD", goal: 9000, expected: 23,
	})
	s.announce(23, a, 21, 8, "Draw a map of a thousand people.")
	c := s.open(a)
	c.takes(s.ana, 20, 5000)
	c.takes(s.chloe, 14, 1500)
	c.closes()
	s.publish(2, a, "MIT")
	c.finds(1, "license-matches", "The record says MIT, the file LICENSE is Apache-2.0. Correct one of them.")
	c.keep()
}

// preview is open: one may pledge.
func (s *plot) preview() {
	schedule := s.propose(s.chloe, 30, lifecycle.StagePreview, idea{
		"Scheduled posts", "Write at night, post in the morning.", forProject(s.skylight), []string{"writing"},
	})
	s.estimate(s.chloe, 30, schedule, 2500, "USD")
	s.estimate(s.ben, 28, schedule, 2000, "USD")
	a := s.develop(s.maya, 22, schedule, s.trusted, plan{
		title: "Posts at a later time", summary: "A clock beside the button.", currency: "USD", goal: 18000, with: s.omar, share: 4000, expected: 9,
	})
	s.consent(s.omar, 21, a)
	s.donate(s.tomas, 16, a, 1500)
	s.announce(9, a, 7, -6, "Write a post and choose the clock.")
	c := s.open(a)
	s.estimate(s.emi, 6, schedule, 2000, "USD") // too late to count
	c.takes(s.chloe, 6, 5000)
	c.withdraws(c.takes(s.tomas, 5, 2000), 4)
	c.takes(s.ben, 3, 3500)
	s.pledge(s.emi, 1, a, 2500) // a wish: she has not paid yet
	c.keep()
}

// refunding pays everybody back, after a dispute that was right.
func (s *plot) refunding() {
	voice := s.propose(s.tomas, 52, lifecycle.StageCancelled, idea{
		"Voice notes", "Some things are said better than typed.", forProject(s.skylight), []string{"media"},
	})
	s.estimate(s.tomas, 52, voice, 2500, "USD")
	s.estimate(s.emi, 50, voice, 2000, "USD")
	a := s.develop(s.omar, 47, voice, s.trusted, plan{
		title: "Voice notes", summary: "Record, send and hear them.", currency: "USD", goal: 15000, expected: 38,
	})
	s.announce(38, a, 36, 24, "Hold the microphone.")
	c := s.open(a)
	c.takes(s.tomas, 35, 4000)
	returned := c.takes(s.emi, 30, 2500)
	c.closes()
	s.publish(18, a, "MIT")
	c.accepts(17)
	c.stops(12, s.dispute(s.tomas, 12, a, "source-unavailable", "Recording calls a service whose source is nowhere."))
	c.rules(4, lifecycle.OutcomeUpheld, "The release does not record without the closed service. What the preview showed cannot be built from it.")
	returned.becomes(lifecycle.ReceiptRefundFailed, s.on(2), "dispute-upheld") // her bank sent it back: it is owed
	c.keep()
}

// refunded ended when its developer found the pot too small.
func (s *plot) refunded() {
	birthdays := s.propose(s.emi, 62, lifecycle.StageCancelled, idea{
		"Birthdays", "Tell me a day before.", forProject(s.atlas), []string{"calendar"},
	})
	s.estimate(s.emi, 62, birthdays, 1000, "USD")
	a := s.develop(s.lin, 58, birthdays, s.trusted, plan{
		title: "A calendar of birthdays", summary: "A calendar to subscribe to.", currency: "USD", goal: 30000, expected: 50,
	})
	s.announce(50, a, 48, 36, "Subscribe to the calendar.")
	c := s.open(a)
	c.takes(s.emi, 45, 1500)
	c.takes(s.ben, 40, 1000)
	c.closes()
	s.cancel(34, a, "Thank you all, but this does not cover the work.")
	c.refunds(34, "cancelled")
	c.refunded(29)
	c.keep()
}

func (s *plot) development() {
	folders := s.propose(s.ana, 20, lifecycle.StageDevelopment, idea{
		"Folders for bookmarks", "I save hundreds of posts and find none of them again. Folders, with a search inside, would do.",
		forProject(s.skylight), []string{"bookmarks", "search"},
	})
	s.estimate(s.ana, 20, folders, 9000, "USD")
	s.estimate(s.ben, 19, folders, 1500, "USD")
	s.estimate(s.chloe, 17, folders, 2500, "USD")
	s.estimate(s.emi, 16, folders, 1800, "EUR")
	s.answer(s.maya, 15, folders, "planned", "Next, after drafts.")
	a := s.develop(s.maya, 12, folders, s.trusted, plan{
		title: "Bookmark folders with search", summary: "Folders, nested once, with a search over the text of what is saved.",
		currency: "USD", goal: 40000, expected: -16,
	})
	s.donate(s.ana, 9, a, 2000)
	s.donate(s.tomas, 5, a, 1000)
	s.estimate(s.tomas, 5, folders, 2500, "USD")

	collections := s.propose(s.tomas, 10, lifecycle.StageDeclined, idea{
		"Collections of saved posts", "Keep recipes apart from news.", forProject(s.skylight), []string{"bookmarks"},
	})
	s.estimate(s.tomas, 10, collections, 1000, "USD")
	s.callDuplicate(s.omar, 8, collections, folders, "Folders are that.")
}

// announced has a date for its preview, and a payee who has not agreed yet.
func (s *plot) announced() {
	shared := s.propose(s.ben, 26, lifecycle.StageDevelopment, idea{
		"Lists kept by two", "My sister and I follow the same bands.", forProject(s.skylight), []string{"lists"},
	})
	s.estimate(s.ben, 26, shared, 2000, "USD")
	s.estimate(s.emi, 21, shared, 1500, "EUR")
	a := s.develop(s.omar, 18, shared, s.trusted, plan{
		title: "Shared lists", summary: "A list with more than one owner.", currency: "EUR", goal: 7000, with: s.lin, share: 3000, expected: -7,
	})
	s.announce(2, a, -7, -19, "Make a list and invite somebody.")
}

// untrusted names an escrow that the demo's AppView does not trust: what that says
// is shown, and decides nothing.
func (s *plot) untrusted() {
	translate := s.propose(s.chloe, 24, lifecycle.StageDevelopment, idea{
		"Translate posts", "Without sending them to anybody.", forProject(s.atlas), []string{"languages"},
	})
	s.estimate(s.chloe, 24, translate, 1500, "USD")
	other := playedEscrow{s.stranger, s.put(s.stranger, terms())}
	a := s.develop(s.lin, 14, translate, other, plan{
		title: "Translation on the device", summary: "A small model for six languages.", currency: "USD", goal: 25000, expected: 6,
	})
	s.announce(6, a, 5, -8, "Choose *Translate* under a post.")
	c := s.open(a)
	c.takes(s.chloe, 4, 2500)
	c.keep()
}

func (s *plot) declined() {
	guide := s.propose(s.chloe, 13, lifecycle.StageDeclined, idea{
		"A guide to hosting your own PDS", "Written for people who have a Raspberry Pi and a free evening.", forAccount(s.maya), []string{"documentation"},
	})
	s.estimate(s.chloe, 13, guide, 1000, "USD")
	s.answer(s.maya, 11, guide, "declined", "The official documentation has one now, and it is good.")
}

func (s *plot) proposed() {
	offline := s.propose(s.ben, 7, lifecycle.StageProposed, idea{
		"Read offline", "Keep the last day of my timeline on the phone, for the train.", forProject(s.skylight), []string{"offline", "mobile"},
	})
	s.estimate(s.ben, 7, offline, 2500, "USD")
	s.estimate(s.emi, 6, offline, 3000, "JPY")
	s.estimate(s.chloe, 4, offline, 90000, "USD") // counts up to the cap
	s.answer(s.maya, 3, offline, "planned", "Yes, in spring.")

	paper := s.propose(s.emi, 4, lifecycle.StageProposed, idea{
		"Maps on paper", "This one names an address. Atlas has proven that it is its own.", forURI("https://" + s.lin.Handle.String() + "/"), []string{"maps"},
	})
	s.estimate(s.emi, 4, paper, 1200, "EUR")
	s.answer(s.lin, 3, paper, "planned", "As soon as somebody has a printer.")

	export := s.propose(s.emi, 2, lifecycle.StageProposed, idea{
		"Export to CSV", "The developers have never heard of us: this one is about a repository by its address alone.",
		forURI("https://git.example.org/tools/ledger"), []string{"export"},
	})
	s.estimate(s.ana, 1, export, 500, "USD")
}
