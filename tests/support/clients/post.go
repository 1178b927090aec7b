// Go's own client, whose multipart body goes out in chunks while it is written.
package main

import (
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"os"
)

func main() {
	address, path := os.Args[1], os.Args[2]
	form, writer := io.Pipe()
	parts := multipart.NewWriter(writer)
	go func() {
		part, err := parts.CreateFormFile("image", "photo.jpg")
		check(err)
		_, err = io.Copy(part, open(path))
		check(err)
		check(parts.Close())
		check(writer.Close())
	}()
	post(address, parts.FormDataContentType(), form)
	post(address, "image/jpeg", open(path))
}

func post(address string, kind string, body io.Reader) {
	answer, err := http.Post(address, kind, body)
	check(err)
	_, err = io.Copy(os.Stdout, answer.Body)
	check(err)
	fmt.Println()
}

func open(path string) *os.File {
	file, err := os.Open(path)
	check(err)
	return file
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
