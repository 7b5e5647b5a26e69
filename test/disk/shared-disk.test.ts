import { describe, expect, it } from '@jest/globals'
import { noticesOf, sharedDiskNotices } from '../../server/disk/shared-disk.ts'
import { temporaryFolder } from '../support/folder.ts'

describe('A data directory', () => {
  it('on a disk of this host causes no notice', async () => {
    const folder = await temporaryFolder()
    expect(await sharedDiskNotices(folder.path)).toEqual([])
    await folder.dispose()
  })

  it.each([
    ['NFS', 0x6969],
    ['SMB', 0xfe534d42],
    ['SMB', 0xfe534d42 | 0],
    ['CephFS', 0xc36400],
  ])('on %s (%i) is reported, because another host could start a second service on it', (name, type) => {
    expect(noticesOf('/data', type)).toEqual([
      `/data is on ${name}. A service on another host would not notice this one: start it on one host only.`,
    ])
  })
})
