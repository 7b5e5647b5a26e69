import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import { describe, expect, it } from '@jest/globals'
import { dialect } from '../../server/cli/dialect-command.ts'
import { temporaryFolder } from '../support/folder.ts'

/** Runs `landfall dialect`. @param onComplaint receives each line on standard error. */
async function run(args: readonly string[], onComplaint: (line: string) => void = () => undefined) {
  const printed: string[] = []
  const complaints: string[] = []
  const complain = (line: string): void => {
    complaints.push(line)
    onComplaint(line)
  }
  const code = await dialect({}, args, (line) => printed.push(line), complain)
  return { code, printed, complaints }
}

/** Uploads a file of 2500 bytes in three chunks, as a page does that nobody knows. */
async function uploadTo(url: string): Promise<void> {
  for (const part of [1, 3, 2]) {
    const form = new FormData()
    const fields = { guid: '0b0f3a52-6a3c-4a54-9c37-0e1c5d2b7f10', part, of: 3, total: 2500, cut: 1000, title: 'a.mp4' }
    for (const [name, value] of Object.entries(fields)) form.set(name, String(value))
    form.set('file', new File([new Uint8Array(part === 3 ? 500 : 1000)], 'blob'))
    const response = await fetch(`${url}/save`, { method: 'POST', body: form })
    expect(response.status).toBe(200)
  }
}

describe('landfall dialect', () => {
  it('lists and shows the dialects of the package', async () => {
    const { printed } = await run(['list'])
    expect(printed).toContain('dropzone')
    expect(JSON.parse((await run(['show', 'dropzone'])).printed.join('\n'))).toMatchObject({ name: 'dropzone' })
    expect(await run(['show', 'none'])).toMatchObject({ code: 2, printed: [] })
  })

  it('checks files, and proposes one for a page that it has recorded', async () => {
    const folder = await temporaryFolder()
    try {
      const file = path.join(folder.path, 'page.json')
      await writeFile(file, '{"name":"page"}')
      const sentences = ['page.json: path is missing.', 'page.json: fields is missing.']
      expect(await run(['check', file])).toMatchObject({ code: 1, printed: sentences })
      let uploaded: Promise<void> | undefined
      const recorded = await run(['record', '--port', '0'], (line) => {
        const [url] = /http:\/\/[\d.:]+\d/.exec(line) ?? []
        if (url !== undefined) uploaded = uploadTo(url)
      })
      await uploaded
      expect(recorded).toMatchObject({ code: 0, complaints: [expect.stringContaining('Recording at')] })
      await writeFile(file, recorded.printed.join('\n'))
      expect(await run(['check', file])).toMatchObject({ code: 0, printed: ['No problems found.'] })
    } finally {
      await folder.dispose()
    }
  })
})
