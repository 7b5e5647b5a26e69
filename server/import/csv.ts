/**
 * Reads comma-separated values (RFC 4180): fields in quotes may contain commas, line breaks, and doubled quotes.
 *
 * @returns the records, each with its fields; empty lines are left out.
 * @throws Error with a sentence for the operator when a quote is not closed, or within a field without quotes.
 */
export function parseCsv(text: string): readonly (readonly string[])[] {
  const records: string[][] = []
  let record: string[] = []
  const field = /(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r?\n|\r|$)/y
  for (let isOver = text === ''; !isOver; ) {
    const start = field.lastIndex
    const [, quoted, plain = '', end] = field.exec(text) ?? []
    if (end === undefined) throw new Error(`Line ${lineAt(text, start)} has a quote that is not closed, or misplaced.`)
    record.push(quoted?.replaceAll('""', '"') ?? plain)
    if (end === ',') continue
    if (record.length > 1 || record[0] !== '') records.push(record)
    record = []
    isOver = field.lastIndex >= text.length
  }
  return records
}

function lineAt(text: string, position: number): number {
  return text.slice(0, position).split(/\r\n|\n|\r/).length
}
