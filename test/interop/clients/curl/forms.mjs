// node forms.mjs <variant> <job>: sends forms with curl in one of the ways in which scripts call it. Prints each
// response as a line of JSON.
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

const [, , variant, text] = process.argv
const job = JSON.parse(text)

const quoted = (name) => `"${name.replace(/[\\"]/g, '\\$&')}"`
const TYPE = ';type=application/octet-stream'

/** What follows `-F file=`, and further options, by variant. */
const VARIANTS = {
  plain: () => ({}),
  filename: ({ name }) => ({ more: `;filename=${quoted(name)}` }),
  type: () => ({ more: TYPE }),
  // Without the header curl reads it to the end first, for its length.
  stdin: ({ name, streamed }) => ({
    stdin: true,
    more: `;filename=${quoted(name)}${TYPE}`,
    options: streamed ? ['-H', 'Transfer-Encoding: chunked'] : [],
  }),
  expect: () => ({ options: ['-H', 'Expect: 100-continue'] }),
  'HTTP/1.0': () => ({ options: ['-0'] }),
}

function multipart(form) {
  const { stdin = false, more = '', options = [] } = VARIANTS[variant](form)
  const fields = form.fields.flatMap(([name, value]) => ['--form-string', `${name}=${value}`])
  const file = ['-F', `file=@${stdin ? '-' : form.file}${more}`]
  const parts = form.fieldsAfter ? [...file, ...fields] : [...fields, ...file]
  return { args: [...options, ...parts, job.url], input: stdin ? readFileSync(form.file) : undefined }
}

function binary(form) {
  const url = `${job.url}?${new URLSearchParams(form.fields)}`
  return { args: ['--data-binary', `@${form.file}`, '-H', 'Content-Type: application/octet-stream', url] }
}

for (const form of job.forms) {
  const { args, input } = variant === 'data-binary' ? binary(form) : multipart(form)
  const { stdout, stderr, status } = spawnSync('curl', ['-sS', '--noproxy', '*', '-w', '\n%{http_code}', ...args], {
    input,
  })
  if (status !== 0) throw new Error(`curl ended with ${status}: ${stderr}`)
  const [, body, code] = /^([\s\S]*)\n(\d+)$/.exec(stdout.toString())
  console.log(JSON.stringify({ status: Number(code), body }))
}
