import { readdir, rename, rm } from 'node:fs/promises'
import net from 'node:net'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { Layout } from '../../server/disk/layout.ts'
import { takeOwnership } from '../../server/disk/owner.ts'
import { temporaryFolder } from '../support/folder.ts'

const ROUNDS = 100
const STARTERS = 6

let folder: Awaited<ReturnType<typeof temporaryFolder>>
let layout: Layout
beforeEach(async () => {
  folder = await temporaryFolder()
  layout = new Layout(folder.path)
})
afterEach(() => folder.dispose())

/** Leaves a socket without a listener, as a killed process does. */
async function leaveDead(name: string): Promise<void> {
  const server = net.createServer()
  await new Promise<void>((resolve) => server.listen(`${folder.path}/dying`, resolve))
  await rename(`${folder.path}/dying`, `${folder.path}/${name}`)
  await new Promise((resolve) => server.close(resolve))
}

describe('The owner of a data directory', () => {
  it('stays the only one when a start removes its socket, believing it to be dead', async () => {
    const owner = await takeOwnership(layout)
    await rm(layout.ownerSocket)
    await expect(takeOwnership(layout)).rejects.toThrow('Another process is using the data directory')
    await owner.release()
    await (await takeOwnership(layout)).release()
  })

  it('is only one of many programs that start at the same time after a kill', async () => {
    for (let round = 0; round < ROUNDS; round++) {
      await leaveDead('owner.sock')
      await leaveDead('.owner-0')
      const starts = Array.from({ length: STARTERS }, async (_, i) => {
        for (let turns = (round * i) % 50; turns > 0; turns--) await nextTurn()
        return takeOwnership(layout)
      })
      const started = await Promise.allSettled(starts)
      const owners = started.flatMap((start) => (start.status === 'fulfilled' ? [start.value] : []))
      const refusals = started.flatMap((start) => (start.status === 'rejected' ? [String(start.reason)] : []))
      expect(owners).toHaveLength(1)
      for (const refusal of refusals) expect(refusal).toContain('Another process is using the data directory')
      for (const owner of owners) await owner.release()
      expect(await readdir(folder.path)).toEqual([])
    }
  })

  it('is respected if it is an earlier version, which has one socket only', async () => {
    const earlier = net.createServer((socket) => socket.destroy())
    await new Promise<void>((resolve) => earlier.listen(layout.ownerSocket, resolve))
    await expect(takeOwnership(layout)).rejects.toThrow('Another process is using the data directory')
    await new Promise((resolve) => earlier.close(resolve))
  })
})
