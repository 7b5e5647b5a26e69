import { describe, expect, it } from '@jest/globals'
import { type CreationRules, creationModel } from './model/creation.ts'
import { explore } from './model/explore.ts'
import { type MultipartRules, multipartModel } from './model/multipart.ts'
import {
  COVERS,
  DELETION,
  EXPIRY,
  LONG_SLEEP,
  LOST_ANSWERS,
  READER,
  REPORTS,
  SLEEPING_OPENER,
  SLEEPING_WRITER,
  SLOW_OPENERS,
} from './model/scenarios.ts'
import { tenureModel } from './model/tenure.ts'
import { type Rules, type Scenario, termsModel } from './model/terms.ts'

const LIMIT = Number(process.env['MODEL_STATES'] ?? 100_000)

describe('the protocol of terms', () => {
  it.each<[string, Scenario]>([
    ['answers are lost', LOST_ANSWERS],
    ['clients ask for the offset', REPORTS],
    ['another node reports the offset', READER],
    ['covers replace pieces and the file is finished', COVERS],
    ['two nodes open the upload slowly', SLOW_OPENERS],
    ['an opener sleeps for two days', LONG_SLEEP],
    ['a writer sleeps for two days', SLEEPING_WRITER],
    ['an opener sleeps until claims are deleted', SLEEPING_OPENER],
    ['an idle upload expires', EXPIRY],
    ['a client deletes the upload', DELETION],
  ])('keeps every promise while %s', (_, scenario) => {
    expect(explore(termsModel(scenario), LIMIT)).toMatchObject({ fault: undefined, trace: [] })
  })

  it.each<[string, Scenario, Partial<Rules>, RegExp]>([
    ['nodes do not check their term', LOST_ANSWERS, { check: 'never' }, /lost|twice|opened/],
    ['nodes check before the PUT', LOST_ANSWERS, { check: 'before' }, /lost|twice|opened/],
    ['terms have no manifest', LOST_ANSWERS, { usesManifest: false }, /opened|lost|two contents/],
    ['openers list before they claim', LOST_ANSWERS, { lists: 'before claim' }, /lost|falls|twice/],
    ['claims overwrite each other', LOST_ANSWERS, { claimIsConditional: false }, /twice|opened|lost/],
    ['openers do not await their manifest', LOST_ANSWERS, { awaitsManifest: false }, /lost|opened/],
    ['a PUT without an answer is ignored', LOST_ANSWERS, { unansweredPut: 'ignored' }, /opened|lost/],
    ['a refused retry settles a PUT', LOST_ANSWERS, { refusedRetry: 'ignored' }, /opened|lost/],
    ['a check without an answer is ignored', LOST_ANSWERS, { unansweredCheck: 'ignored' }, /opened|lost/],
    ['a report uses an earlier check', REPORTS, { report: 'earlier check' }, /falls/],
    ['covers replace pieces before a check', COVERS, { coverReplaces: 'unchecked' }, /lost|opened/],
    ['claims are deleted at the end', COVERS, { deletesClaims: 'at the end' }, /after the end|falls/],
    ['openers look for an end before they list', COVERS, { looksForEnd: 'before claim' }, /after the end|falls/],
    ['a reader does not look for newer terms', READER, { readerChecks: false }, /lost|reports/],
    ['covers replace pieces under a reader', READER, { coverDeletes: 'at once' }, /reports|lost/],
    ['openers tidy up without a check', SLOW_OPENERS, { tidies: 'unchecked' }, /opened|lost/],
    ['a term listens only from its manifest on', LONG_SLEEP, { hears: 'at manifest' }, /after the end|falls/],
    ['silence is unlimited', SLEEPING_WRITER, { limitsSilence: false }, /after the end|falls/],
    ['openers do not look for newer terms', SLEEPING_OPENER, { looksForNewerTerm: false }, /twice|lost|falls/],
    ['a tombstone has no record', EXPIRY, { removal: 'tombstone only' }, /expired|after the end/],
    ['the end overwrites a tombstone', DELETION, { doneIsConditional: false }, /back/],
  ])('breaks when %s', (_, scenario, change, fault) => {
    const found = explore(termsModel(scenario, change), LIMIT)
    expect(found.fault).toMatch(fault)
    expect(found.trace.length).toBeGreaterThan(0)
  })
})

describe('the protocol of creation', () => {
  it('keeps every promise for an id that comes again', () => {
    expect(explore(creationModel(), LIMIT)).toMatchObject({ fault: undefined, trace: [] })
  })

  it.each<[string, Partial<CreationRules>]>([
    ['records overwrite each other', { recordIsConditional: false }],
    ['creators do not look for an end after the record', { looksAfterRecord: false }],
    ['sweepers forget tombstones of computed ids', { keepsTombstone: false }],
  ])('breaks when %s', (_, change) => {
    expect(explore(creationModel(change), LIMIT).trace.length).toBeGreaterThan(0)
  })
})

describe('the protocol of composition', () => {
  it('keeps every promise while another term finishes or removes the upload', () => {
    expect(explore(multipartModel(), LIMIT)).toMatchObject({ fault: undefined, trace: [] })
  })

  it.each<[string, Partial<MultipartRules>]>([
    ['no record has the id of the multipart upload', { recordsId: false }],
    ['that record is not confirmed', { confirmsId: false }],
    ['a removal deletes the file first', { removal: 'delete first' }],
    ['a term inherits parts of other cells', { inherits: 'parts' }],
  ])('breaks when %s', (_, change) => {
    expect(explore(multipartModel(change), LIMIT).trace.length).toBeGreaterThan(0)
  })
})

describe('the tenure of a claim', () => {
  it('lets every term commit, and ends when the holder stops', () => {
    expect(explore(tenureModel(10), LIMIT)).toMatchObject({ fault: undefined, trace: [] })
  })

  it('is what keeps terms from racing', () => {
    expect(explore(tenureModel(0), LIMIT).fault).toMatch(/race/)
  })
})
