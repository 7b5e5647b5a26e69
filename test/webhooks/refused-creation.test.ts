import { once } from 'node:events'
import { readdir } from 'node:fs/promises'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { Layout } from '../../server/disk/layout.ts'
import { killAtWrite } from '../disk/failing-calls.ts'
import { bytesOf } from '../support/bytes.ts'
import { type TemporaryFolder, temporaryFolder } from '../support/folder.ts'
import { type Program, startProgram } from '../support/program.ts'
import { type Receiver, startReceiver } from '../support/receiver.ts'
import { head } from '../support/tus.ts'
import { cut, rawChunk } from '../support/webuploader.ts'
import { connect, until } from '../support/wire.ts'

let folder: TemporaryFolder
let receiver: Receiver
let program: Program
beforeEach(async () => {
  folder = await temporaryFolder()
  receiver = await startReceiver()
  await start()
})
afterEach(async () => {
  await program.end('SIGKILL')
  await receiver.close()
  await folder.dispose()
})

async function start(): Promise<void> {
  program = await startProgram({ DATA_DIR: folder.path, ...receiver.settings, WEBHOOK_EVENTS: 'created,deleted' })
}

describe('An upload that is created for a refused chunk', () => {
  it('still exists after a kill during its removal if webhooks have reported its creation', async () => {
    const layout = new Layout(folder.path)
    const file = cut(bytesOf(1_000), 1_000)
    const { head: requestHead, body } = rawChunk(file, 0)
    const wire = await connect(program.url)
    await wire.send(requestHead, body.subarray(0, -900))
    let id = ''
    await until(async () => {
      const names = await readdir(layout.records, { recursive: true })
      id = path.basename(names.find((name) => name.endsWith('.json')) ?? '', '.json')
      return id !== ''
    })
    await killAtWrite(program, [path.join(layout.leaving, id), path.join(layout.leaving, `.${id}.tmp`)])
    const exited = once(program.process, 'exit')
    await wire.cut()
    await exited
    await start()
    await receiver.count(1)
    expect(receiver.deliveries).toMatchObject([{ type: 'upload.created', upload: id }])
    expect((await head(`${program.url}/files/${id}`)).status).toBe(200)
  })
})
