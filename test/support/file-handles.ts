import { type FileHandle, open } from 'node:fs/promises'
import { jest } from '@jest/globals'

/** The prototype of all open files of this process: here, a file operation can be delayed, or made to fail. */
export async function fileHandles(): Promise<FileHandle> {
  const file = await open('/', 'r')
  await file.close()
  return Object.getPrototypeOf(file)
}

/** Blocks the next call of this kind on any file. @returns a function that releases it. */
export async function holdNext(call: 'datasync' | 'writeFile'): Promise<() => void> {
  const handles = await fileHandles()
  const real = Reflect.get(handles, call)
  let letGo = (): void => undefined
  const asked = new Promise<void>((resolve) => {
    letGo = resolve
  })
  jest.spyOn(handles, call).mockImplementationOnce(async function (this: FileHandle, ...given: unknown[]) {
    await asked
    await Reflect.apply(real, this, given)
  })
  return letGo
}
