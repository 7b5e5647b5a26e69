import { Connection } from './connection.ts'
import { OFFSET_STREAM, TUS } from './tus.ts'

/** Creates `count` uploads over `lanes` connections, each with its first `sent` bytes, and leaves them unfinished. */
export async function leaveManyUnfinished(port: number, count: number, sent: number, lanes: number): Promise<void> {
  const headers = { ...TUS, 'Upload-Length': 2 * sent, 'Content-Type': OFFSET_STREAM }
  let begun = 0
  const lane = async (): Promise<void> => {
    const connection = new Connection(port)
    while (begun < count) {
      begun++
      const answer = await connection.request({
        method: 'POST',
        path: '/files',
        headers,
        body: { offset: 0, length: sent },
      })
      const offset = answer.headers.get('upload-offset')
      if (offset !== String(sent)) throw new Error(`Upload-Offset is ${offset ?? 'absent'} but must be ${sent}.`)
    }
    connection.close()
  }
  await Promise.all(Array.from({ length: lanes }, lane))
}
