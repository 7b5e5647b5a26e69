import path from 'node:path'
import { spread } from '../core/node-id.ts'
import { isUploadId, type UploadRecord } from '../core/record.ts'

/** What decides where a finished file is. */
export type Place = Pick<UploadRecord, 'id' | 'folder' | 'fileName'>

/** The paths in a data directory. `incoming` and `files` must be on one file system. */
export class Layout {
  readonly root: string
  readonly incoming: string
  readonly files: string
  readonly journals: string
  readonly records: string
  /** Tombstones of uploads whose removal has begun. */
  readonly leaving: string
  /** Tombstones of uploads that are gone. */
  readonly gone: string
  /** The current upload of a WebUploader sender, if its id is not the first id of the sender. */
  readonly senders: string
  /** The chunks that `/check` has listed to WebUploader visitors. */
  readonly visitors: string
  /** The uploads that later WebUploader tasks have adopted. */
  readonly adoptions: string
  /** Orphaned files that the start or the doctor set aside. */
  readonly quarantine: string
  /** The number of the format of the data directory. Directories of the first versions have no such file. */
  readonly format: string
  readonly secret: string
  /** What uploads cost, in total and by account. */
  readonly usage: string
  /** Events that are to be delivered; only where there are webhooks. */
  readonly outbox: string
  readonly ownerSocket: string

  constructor(root: string) {
    this.root = path.resolve(root)
    this.incoming = path.join(this.root, 'incoming')
    this.files = path.join(this.root, 'files')
    this.journals = path.join(this.root, 'journals')
    this.records = path.join(this.root, 'records')
    this.leaving = path.join(this.root, 'leaving')
    this.gone = path.join(this.root, 'gone')
    this.senders = path.join(this.root, 'senders')
    this.visitors = path.join(this.root, 'visitors')
    this.adoptions = path.join(this.root, 'adoptions')
    this.quarantine = path.join(this.root, 'quarantine')
    this.format = path.join(this.root, 'format')
    this.secret = path.join(this.root, 'secret')
    this.usage = path.join(this.root, 'usage')
    this.outbox = path.join(this.root, 'outbox')
    this.ownerSocket = path.join(this.root, 'owner.sock')
  }

  get folders(): readonly string[] {
    const { incoming, files, journals, records, leaving, gone, senders, visitors, adoptions, quarantine } = this
    return [incoming, files, journals, records, leaving, gone, senders, visitors, adoptions, quarantine]
  }

  incomingFile(id: string): string {
    return path.join(this.incoming, id)
  }

  journal(id: string): string {
    return path.join(this.journals, id)
  }

  /** The directory in which the finished file of an upload is alone. @param folder of its record. */
  finishedFolder(id: string, folder = ''): string {
    return path.join(this.files, folder, id)
  }

  finishedFile({ id, folder, fileName }: Place): string {
    return path.join(this.finishedFolder(id, folder), fileName)
  }

  /** Each group has its own directory, which lists it; other ids are spread over about 256 directories. */
  recordFolder(id: string): string {
    const dot = id.indexOf('.')
    return this.groupFolder(dot > 0 ? id.slice(0, dot) : spread(id))
  }

  groupFolder(group: string): string {
    return path.join(this.records, group)
  }

  record(id: string): string {
    return path.join(this.recordFolder(id), `${id}${RECORD_ENDING}`)
  }
}

export const RECORD_ENDING = '.json'

/** The ids in the names of record files. */
export function idsOf(names: readonly string[]): readonly string[] {
  return names
    .filter((name) => name.endsWith(RECORD_ENDING))
    .map((name) => name.slice(0, -RECORD_ENDING.length))
    .filter(isUploadId)
}
