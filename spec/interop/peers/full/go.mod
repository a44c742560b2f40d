module troupe.test/peers/full

go 1.25.0
