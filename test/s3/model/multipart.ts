import type { Model, Move } from './explore.ts'

/**
 * The file of a wholly received upload is composed by a node (A), while another one (B) opens the upload, and either
 * composes the file itself, of other cells, or removes the upload.
 */

export interface MultipartRules {
  /** Whether the id of a multipart upload is in a record. */
  readonly recordsId: boolean
  /** Whether that record is confirmed before the multipart upload is used. */
  readonly confirmsId: boolean
  /** Whether a removal aborts the multipart upload before it deletes the file, or after that. */
  readonly removal: 'abort first' | 'delete first'
  /** What a new term does with the multipart upload of an earlier one. */
  readonly inherits: 'nothing' | 'parts'
}

const PROTOCOL: MultipartRules = { recordsId: true, confirmsId: true, removal: 'abort first', inherits: 'nothing' }

interface Multipart {
  readonly isOpen: boolean
  /** Who has copied each part, by its number. */
  readonly parts: readonly string[]
}

interface Composer {
  readonly at: 'creating' | 'noting' | 'confirming' | 'copying' | 'completing' | 'ending' | 'out'
  /** The index of its multipart upload. */
  readonly uploadId: number
  readonly copied: number
}

type OpenerStage = 'claiming' | 'listing' | 'deciding' | 'aborting' | 'composing' | 'burying' | 'erasing' | 'out'

export interface MultipartState {
  readonly a: Composer
  readonly b: Composer
  readonly opener: OpenerStage
  /** The multipart upload that B has found in the record; -1 for none. */
  readonly found: number
  readonly isClaimed: boolean
  readonly recorded: number
  readonly multiparts: readonly Multipart[]
  /** CompleteMultipartUpload calls that may still be applied. */
  readonly completing: readonly { readonly uploadId: number; readonly by: string }[]
  /** Copies that may still be applied. */
  readonly copying: readonly { readonly uploadId: number; readonly number: number; readonly by: string }[]
  readonly file: readonly string[] | undefined
  readonly done: 'none' | 'finished' | 'gone'
  readonly isRemoved: boolean
}

const PARTS = 2

export function multipartModel(change: Partial<MultipartRules> = {}): Model<MultipartState> {
  const rules = { ...PROTOCOL, ...change }
  return {
    initial: {
      a: { at: 'creating', uploadId: -1, copied: 0 },
      b: { at: 'out', uploadId: -1, copied: 0 },
      opener: 'claiming',
      found: -1,
      isClaimed: false,
      recorded: -1,
      multiparts: [],
      completing: [],
      copying: [],
      file: undefined,
      done: 'none',
      isRemoved: false,
    },
    moves: (state) => [
      ...movesOfS3(state, rules),
      ...movesOfComposer(state, 'a', rules),
      ...movesOfComposer(state, 'b', rules),
      ...movesOfOpener(state, rules),
    ],
    fault: ({ done, file, isRemoved }) => {
      if (isRemoved && file !== undefined) return 'the file of a removed upload is back'
      if (isRemoved && done !== 'gone') return 'a removed upload is back'
      if (file !== undefined && new Set(file).size > 1) return 'the file is made of parts of two kinds of cells'
      return done === 'finished' && file === undefined ? 'a finished upload has no file' : undefined
    },
  }
}

function movesOfS3(state: MultipartState, { inherits }: MultipartRules): readonly Move<MultipartState>[] {
  const copies = state.copying.map((copy, i): Move<MultipartState> => {
    const multipart = state.multiparts[copy.uploadId]
    const copying = state.copying.toSpliced(i, 1)
    if (!multipart?.isOpen) return { step: `S3: refuses a copy of ${copy.by}`, state: { ...state, copying } }
    const parts = multipart.parts.with(copy.number, copy.by)
    const multiparts = state.multiparts.with(copy.uploadId, { ...multipart, parts })
    return { step: `S3: copies part ${copy.number + 1} of ${copy.by}`, state: { ...state, copying, multiparts } }
  })
  const completions = state.completing.map(({ uploadId, by }, i): Move<MultipartState> => {
    const multipart = state.multiparts[uploadId]
    const completing = state.completing.toSpliced(i, 1)
    // The ETags are those of the caller's own copies, unless it takes what S3 lists.
    const isWhole = multipart?.parts.every((copier) => (inherits === 'parts' ? copier !== '' : copier === by))
    if (!multipart?.isOpen || !isWhole)
      return { step: `S3: refuses to complete for ${by}`, state: { ...state, completing } }
    const multiparts = state.multiparts.with(uploadId, { ...multipart, isOpen: false })
    return { step: `S3: completes for ${by}`, state: { ...state, completing, multiparts, file: multipart.parts } }
  })
  return [...copies, ...completions]
}

function movesOfComposer(
  state: MultipartState,
  who: 'a' | 'b',
  { recordsId, confirmsId }: MultipartRules,
): readonly Move<MultipartState>[] {
  const me = state[who]
  const to = (step: string, next: Partial<Composer>, change: Partial<MultipartState> = {}): Move<MultipartState> => ({
    step: `${who.toUpperCase()}: ${step}`,
    state: { ...state, ...change, [who]: { ...me, ...next } },
  })
  const { uploadId } = me
  switch (me.at) {
    case 'creating': {
      const multiparts = [...state.multiparts, { isOpen: true, parts: Array.from({ length: PARTS }, () => '') }]
      return [
        to(
          'creates a multipart upload',
          { at: recordsId ? 'noting' : 'copying', uploadId: state.multiparts.length },
          { multiparts },
        ),
      ]
    }
    case 'noting':
      return [to('records its id', { at: confirmsId ? 'confirming' : 'copying' }, { recorded: uploadId })]
    case 'confirming':
      if (who === 'b' || !state.isClaimed) return [to('confirms the record', { at: 'copying' })]
      return [to('finds a newer term, and aborts', { at: 'out' }, { multiparts: aborted(state, uploadId) })]
    case 'copying': {
      const isDone = me.copied + 1 === PARTS
      const copy = { uploadId, number: me.copied, by: who }
      const next = { at: isDone ? 'completing' : 'copying', copied: me.copied + 1 } as const
      return [to(`sends a copy of part ${me.copied + 1}`, next, { copying: [...state.copying, copy] })]
    }
    case 'completing':
      // It has the answers of its copies.
      if (state.copying.some(({ by }) => by === who)) return []
      return [
        to('sends the completion', { at: 'ending' }, { completing: [...state.completing, { uploadId, by: who }] }),
      ]
    case 'ending':
      if (state.completing.some(({ by }) => by === who)) return []
      if (state.file === undefined) return [to('finds no file', { at: 'out' })]
      return [to('finishes', { at: 'out' }, state.done === 'none' ? { done: 'finished' } : {})]
    case 'out':
      return []
  }
}

function movesOfOpener(state: MultipartState, { removal, inherits }: MultipartRules): readonly Move<MultipartState>[] {
  const to = (step: string, opener: OpenerStage, change: Partial<MultipartState> = {}): Move<MultipartState> => ({
    step: `B: ${step}`,
    state: { ...state, ...change, opener },
  })
  const { found, multiparts } = state
  switch (state.opener) {
    case 'claiming':
      return [to('claims the next term', 'listing', { isClaimed: true })]
    case 'listing':
      if (state.done !== 'none') return [to('finds the end', 'out')]
      return [to('reads the record', 'deciding', { found: state.recorded })]
    case 'deciding':
      return [
        to('composes the file', 'composing'),
        // The record of the removal is confirmed in its own term.
        to('removes the upload', 'burying'),
      ]
    case 'composing': {
      const inherited = inherits === 'parts' && found >= 0 ? found : -1
      const b = { at: inherited < 0 ? 'creating' : 'copying', uploadId: inherited, copied: 0 } as const
      return [to('begins', 'out', { b, multiparts: inherited < 0 ? aborted(state, found) : multiparts })]
    }
    case 'burying':
      return [to('writes done: gone', removal === 'abort first' ? 'aborting' : 'erasing', { done: 'gone' })]
    case 'aborting':
      return [
        to('aborts the multipart upload', removal === 'abort first' ? 'erasing' : 'out', aborting(state, removal)),
      ]
    case 'erasing':
      if (removal === 'delete first') return [to('deletes the file', 'aborting', { file: undefined })]
      return [to('deletes the file', 'out', { file: undefined, isRemoved: true })]
    case 'out':
      return []
  }
}

function aborting(state: MultipartState, removal: MultipartRules['removal']): Partial<MultipartState> {
  return { multiparts: aborted(state, state.found), ...(removal === 'delete first' && { isRemoved: true }) }
}

function aborted({ multiparts }: MultipartState, uploadId: number): readonly Multipart[] {
  const multipart = multiparts[uploadId]
  return multipart === undefined ? multiparts : multiparts.with(uploadId, { ...multipart, isOpen: false })
}
