// `node scripts/components.mjs FILE`: prints a list of components by npm, repaired: CycloneDX wants URLs, but npm copies
// what a package says about its repository, such as `git@host:owner/name`.
import { readFileSync } from 'node:fs'
import { pathToFileURL } from 'node:url'

/** Rewrites references that are no URLs, and leaves out those that cannot be rewritten. @returns the list. */
export function withUrls(components) {
  const repaired = (component) => ({
    ...component,
    ...(component.externalReferences === undefined
      ? {}
      : { externalReferences: component.externalReferences.flatMap(asUrl) }),
  })
  return {
    ...components,
    metadata: { ...components.metadata, component: repaired(components.metadata.component) },
    components: components.components.map(repaired),
  }
}

function asUrl(reference) {
  const url = reference.url.replace(/^([\w.-]+@[\w.-]+):(?!\/\/)\/?/, 'ssh://$1/')
  return URL.canParse(url) ? [{ ...reference, url }] : []
}

const [, program = '', file = ''] = process.argv
if (import.meta.url === pathToFileURL(program).href) {
  console.log(JSON.stringify(withUrls(JSON.parse(readFileSync(file, 'utf8'))), null, 2))
}
