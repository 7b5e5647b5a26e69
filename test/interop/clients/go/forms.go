// forms <job>: sends forms with mime/multipart and net/http. Prints each response as a line of JSON.
package main

import (
	"bytes"
	"encoding/json"
	"io"
	"log"
	"mime/multipart"
	"net/http"
	"os"
)

type form struct {
	Fields      [][2]string
	File, Name  string
	FieldsAfter bool
	Streamed    bool
}

type job struct {
	URL   string
	Forms []form
}

type answer struct {
	Status int    `json:"status"`
	Body   string `json:"body"`
}

func (f form) writeFields(w *multipart.Writer) error {
	for _, field := range f.Fields {
		if err := w.WriteField(field[0], field[1]); err != nil {
			return err
		}
	}
	return nil
}

func (f form) writeFile(w *multipart.Writer) error {
	part, err := w.CreateFormFile("file", f.Name)
	if err != nil {
		return err
	}
	file, err := os.Open(f.File)
	if err != nil {
		return err
	}
	defer file.Close()
	_, err = io.Copy(part, file)
	return err
}

func (f form) write(w *multipart.Writer) error {
	steps := []func(*multipart.Writer) error{f.writeFields, f.writeFile}
	if f.FieldsAfter {
		steps[0], steps[1] = steps[1], steps[0]
	}
	for _, step := range steps {
		if err := step(w); err != nil {
			return err
		}
	}
	return w.Close()
}

func (f form) post(url string) (answer, error) {
	var body io.Reader
	var writer *multipart.Writer
	if f.Streamed {
		reader, pipe := io.Pipe()
		writer, body = multipart.NewWriter(pipe), reader
		go func() { pipe.CloseWithError(f.write(writer)) }()
	} else {
		buffer := new(bytes.Buffer)
		writer, body = multipart.NewWriter(buffer), buffer
		if err := f.write(writer); err != nil {
			return answer{}, err
		}
	}
	response, err := http.Post(url, writer.FormDataContentType(), body)
	if err != nil {
		return answer{}, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	return answer{response.StatusCode, string(text)}, err
}

func main() {
	var work job
	if err := json.Unmarshal([]byte(os.Args[1]), &work); err != nil {
		log.Fatal(err)
	}
	for _, f := range work.Forms {
		result, err := f.post(work.URL)
		if err != nil {
			log.Fatal(err)
		}
		if err := json.NewEncoder(os.Stdout).Encode(result); err != nil {
			log.Fatal(err)
		}
	}
}
