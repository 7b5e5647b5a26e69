import { describe, expect, it } from '@jest/globals'
import { parseTrace } from './strace-parser.ts'

const answer = { headers: {}, body: '' }

describe('A trace', () => {
  it('reports what was done to which file, by its descriptor', () => {
    const lines = parseTrace(
      [
        '7 openat(AT_FDCWD</home>, "/d/a b", O_RDWR|O_CREAT|O_EXCL|O_CLOEXEC, 0666) = 20</d/a b>',
        '7 pwritev(20</d/a b>, [{iov_base="), = 9"..., iov_len=3}], 1, 4096) = 3',
        '7 fdatasync(20</d/a b>)     = 0',
        '7 rename("/d/a b", "/d/c")  = 0',
        '7 close(20</d/c>)           = 0',
        '7 fsync(20</d/other>)       = 0',
        '7 unlink("/d/c")            = -1 ENOENT (No such file or directory)',
      ].join('\n'),
    )
    expect(lines).toEqual([
      { at: 'begin', id: '0', op: 'open', path: '/d/a b', flags: 'wx' },
      { at: 'end', id: '0' },
      { at: 'begin', id: '1', op: 'write', handle: '0', position: 4096, bytes: 'AAAA' },
      { at: 'end', id: '1' },
      { at: 'begin', id: '2', op: 'sync', handle: '0', what: 'data' },
      { at: 'end', id: '2' },
      { at: 'begin', id: '3', op: 'rename', from: '/d/a b', to: '/d/c' },
      { at: 'end', id: '3' },
      { at: 'begin', id: '6', op: 'remove', path: '/d/c' },
      { at: 'failed', id: '6' },
    ])
  })

  it('joins interrupted calls, and leaves open those that never returned', () => {
    const lines = parseTrace(
      [
        '7 openat(AT_FDCWD</>, "/d/a", O_RDWR|O_CREAT|O_TRUNC|O_CLOEXEC, 0666) = 20</d/a>',
        '8 pwrite64(20</d/a>, "xy", 2, 0 <unfinished ...>',
        '9 fdatasync(20</d/a> <unfinished ...>',
        '8 <... pwrite64 resumed>)       = 1',
        '7 write(21<socket:[5]>, "HTTP/1.1 204"..., 180) = 180',
        '9 <... fdatasync resumed>)      = 0',
        '8 mkdir("/d/e", 0777 <unfinished ...>',
        '8 +++ killed by SIGKILL +++',
      ].join('\n'),
    )
    expect(lines).toEqual([
      { at: 'begin', id: '0', op: 'open', path: '/d/a', flags: 'w' },
      { at: 'end', id: '0' },
      { at: 'begin', id: '1', op: 'write', handle: '0', position: 0, bytes: 'AA==' },
      { at: 'begin', id: '2', op: 'sync', handle: '0', what: 'data' },
      { at: 'end', id: '1' },
      { at: 'answer', id: '4', status: 204, ...answer },
      { at: 'end', id: '2' },
      { at: 'begin', id: '6', op: 'mkdir', path: '/d/e' },
    ])
  })

  it('derives the position of a write that names none', () => {
    const lines = parseTrace(
      [
        '7 openat(AT_FDCWD</>, "/d/a", O_WRONLY|O_CREAT|O_TRUNC|O_CLOEXEC, 0666) = 20</d/a>',
        '7 write(20</d/a>, "abc", 3) = 3',
        '7 write(20</d/a>, "d", 1)   = 1',
        '7 write(1<pipe:[9]>, "Landfall list"..., 43) = 43',
      ].join('\n'),
    )
    const writes = lines.filter((line) => line.at === 'begin' && line.op === 'write')
    expect(writes.map((line) => 'position' in line && line.position)).toEqual([0, 3])
  })
})
