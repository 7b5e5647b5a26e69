import http from 'node:http'

/** A receiver that accepts everything at once, on the port that is its argument. */
http
  .createServer((request, response) => {
    request.resume()
    request.on('end', () => response.writeHead(200, { 'Content-Type': 'application/json' }).end('{}'))
  })
  .listen(Number(process.argv[2]), '127.0.0.1')
