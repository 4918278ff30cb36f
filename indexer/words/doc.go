// Package words says what the words of a text are, for the full-text index and
// for whoever asks it: both sides must agree, or nothing is found. It owns no
// index and knows no SQL.
//
// A word is a run of letters, digits and the marks on them. What joins them, in
// "can't" or "bulk-edit", ends one and begins the next. Forms that mean the same
// (full-width letters, half-width kana, letters with their accents apart) become
// one, by NFKC. Case and accents are left to the index, whose tokenizer has to take
// letters, digits and marks for parts of tokens, and all else for what is between.
//
// # Scripts without spaces
//
// In Chinese, Japanese, Thai and their neighbours no space ends a word, and in
// Korean endings grow on it. A run of such a script is therefore indexed by its
// characters, each together with the next one: 暗色模式 as 暗色, 色模, 模式 and 式.
// A query's run becomes the same pairs, one after the other, and so is found
// wherever its characters stand in a text, in a word or across two. This needs no
// dictionary, and finds a little too much rather than too little.
//
// Everything here is pure and may be used by many goroutines.
package words
