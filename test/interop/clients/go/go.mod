module forms

go 1.22
