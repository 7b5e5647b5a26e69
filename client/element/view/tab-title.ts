const PERCENTAGE = /^\d+% · /

/** Shows a percentage in the title of the tab; null for none. */
export function showInTitle(percent: number | null): void {
  const title = document.title.replace(PERCENTAGE, '')
  const shown = percent === null ? title : `${percent}% · ${title}`
  if (document.title !== shown) document.title = shown
}
