module troupe.test/peers/control

go 1.25.0

require (
	github.com/gtank/merlin v0.1.1
	golang.org/x/crypto v0.0.0-20220525230936-793ad666bf5e
)

require (
	github.com/mimoo/StrobeGo v0.0.0-20181016162300-f8f6d4d2b643 // indirect
	golang.org/x/sys v0.0.0-20210615035016-665e8c7367d1 // indirect
)
