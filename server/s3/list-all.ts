import type { ListedObject, S3Port } from './s3-port.ts'

/** An object in a list. */
export interface AgedObject extends ListedObject {
  /** Since it was last written, by the clock of S3: milliseconds. */
  readonly age: number
}

/** All objects below a prefix, in order of their keys, page by page. @throws S3Error */
export async function* listAll(port: S3Port, prefix: string): AsyncGenerator<AgedObject> {
  for (let after: string | undefined; ; ) {
    const { objects, next, date } = await port.list(prefix, { after })
    for (const object of objects) yield { ...object, age: date - object.lastModified }
    if (next === undefined) return
    after = next
  }
}
