import controls from './controls.css?inline'
import theme from './theme.css?inline'
import zone from './zone.css?inline'

let sheet: CSSStyleSheet | undefined

/** The style of all elements. A content policy that forbids inline styles allows it. */
export function styleSheet(): CSSStyleSheet {
  sheet ??= sheetOf(theme + zone + controls)
  return sheet
}

/** A style sheet for shadow roots. */
export function sheetOf(text: string): CSSStyleSheet {
  const created = new CSSStyleSheet()
  created.replaceSync(text)
  return created
}
