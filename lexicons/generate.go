package lexicons

//go:generate go run ./gen -in . -out fundstratos
