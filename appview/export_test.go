package appview

// AnswersSize is how many bytes are kept.
func AnswersSize(a *Answers) int { return a.kept.held() }
