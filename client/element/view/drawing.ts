const SVG = 'http://www.w3.org/2000/svg'

/** Outlines, by the end of their class, in a square of 24 by 24 and the colour of the text; they say nothing to screen readers. */
export function drawing(outlines: Readonly<Record<string, string>>): SVGSVGElement {
  const svg = document.createElementNS(SVG, 'svg')
  svg.setAttribute('viewBox', '0 0 24 24')
  svg.setAttribute('aria-hidden', 'true')
  for (const [name, outline] of Object.entries(outlines)) {
    const path = document.createElementNS(SVG, 'path')
    path.setAttribute('class', `outline-${name}`)
    path.setAttribute('d', outline)
    svg.append(path)
  }
  return svg
}
