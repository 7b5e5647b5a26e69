// Instead of PHP and nginx: prints the page, and passes the paths of uploads on to the service.
import { createReadStream } from 'node:fs'
import http from 'node:http'

const { LANDFALL = 'http://127.0.0.1:1080', PORT = '3000' } = process.env

/** As `location ~ …` of nginx has them. */
const UPLOADS = /^\/(upload\/accept|upload\/complete|check|files|landfall-webuploader\.js)\b/
const FILES = {
  '/upload.php': ['text/html; charset=utf-8', 'upload.php.html'],
  '/static/jquery/dist/jquery.min.js': ['text/javascript', 'node_modules/jquery/dist/jquery.min.js'],
  '/static/webuploader/dist/webuploader.min.js': [
    'text/javascript',
    'node_modules/webuploader/dist/webuploader.min.js',
  ],
}

const server = http.createServer({ requestTimeout: 0 }, (request, response) => {
  const found = FILES[request.url]
  if (UPLOADS.test(request.url)) passOn(request, response)
  else if (found === undefined) response.writeHead(404).end()
  else {
    const [type, file] = found
    createReadStream(new URL(file, import.meta.url)).pipe(response.setHeader('Content-Type', type))
  }
})

function passOn(request, response) {
  const { method, headers } = request
  const passed = http.request(new URL(request.url, LANDFALL), { method, headers }, (answer) => {
    response.writeHead(answer.statusCode, answer.headers)
    answer.pipe(response)
  })
  passed.on('error', () => response.destroy())
  response.on('close', () => passed.destroy())
  request.pipe(passed)
}

server.listen(PORT, '127.0.0.1', () => {
  console.log(`Listening on http://127.0.0.1:${server.address().port}/upload.php`)
})

process.once('SIGTERM', () => server.close())
