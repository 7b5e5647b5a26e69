import { readdirSync } from 'node:fs'
import type { DefaultTheme } from 'vitepress'

/** The pages by task: the title in the navigation, and the file without its extension. */
const TASKS: readonly (readonly [group: string, pages: readonly (readonly [title: string, page: string])[]])[] = [
  [
    'Connect',
    [
      ['All tasks', 'index'],
      ['A page (the element)', 'element'],
      ['A page (WebUploader)', 'connect-a-page'],
      ['A page (other libraries)', 'dialects'],
      ['An app (tus, Uppy, HTTP)', 'connect-an-app'],
      ['Node and its frameworks', 'library'],
      ['Code for each framework', 'frameworks'],
      ['Hooks', 'hooks'],
      ['Webhooks', 'webhooks'],
      ['Users and tokens', 'auth'],
      ['Scanning', 'scanning'],
      ['Instant uploads', 'instant'],
      ['Moving from another server', 'migrate/index'],
      ['From tusd', 'migrate/tusd'],
      ['From @tus/server', 'migrate/tus-server'],
      ['From rustus', 'migrate/rustus'],
      ['From a chunk endpoint', 'migrate/chunk-endpoint'],
      ['Next to the old backend', 'migrate/side-by-side'],
    ],
  ],
  [
    'Deploy',
    [
      ['Compose, TLS, hardening', 'deployment'],
      ['Proxies', 'proxies'],
      ['Kubernetes', 'kubernetes'],
      ['S3 and several nodes', 's3'],
      ['Several processes, several machines', 'scale'],
      ['Sizing', 'sizing'],
      ['Security', 'security'],
    ],
  ],
  [
    'Operate',
    [
      ['Troubleshooting', 'troubleshooting'],
      ['Monitoring', 'monitoring'],
      ['Admin page, API, commands', 'admin'],
      ['Operations', 'operations'],
      ['Backup', 'backup'],
      ['Upgrade', 'upgrade'],
      ['Releases', 'release'],
    ],
  ],
  [
    'Look up',
    [
      ['Settings', 'settings'],
      ['Protocols', 'protocols'],
      ['Fields of WebUploader pages', 'webuploader'],
      ['Guarantees', 'guarantees'],
      ['Tested clients', 'clients'],
      ['Conformance', 'conformance'],
      ['Bench', 'bench'],
      ['Dependencies', 'dependencies'],
    ],
  ],
  [
    'Work on Landfall',
    [
      ['Architecture', 'architecture'],
      ['Decisions', 'decisions/index'],
      ['Contributing', 'project/contributing'],
      ['Reporting a vulnerability', 'project/security'],
      ['Changelog', 'project/changelog'],
    ],
  ],
]

/** The pages that are there, as they are named in the navigation. */
export function pageNames(docs: string): ReadonlySet<string> {
  const files = readdirSync(docs, { recursive: true, encoding: 'utf8' })
  const pages = files.filter((file) => file.endsWith('.md')).map((file) => file.replace(/\.md$/, ''))
  return new Set([...pages.map((page) => page.replace(/README$/, 'index')), ...Object.keys(PROJECT_PAGES)])
}

/** Documents of the top directory that are pages of the site, too. */
export const PROJECT_PAGES: Readonly<Record<string, string>> = {
  'project/changelog': 'CHANGELOG.md',
  'project/contributing': 'CONTRIBUTING.md',
  'project/security': 'SECURITY.md',
}

/** The navigation, without pages that are not there. */
export function navigation(pages: ReadonlySet<string>): DefaultTheme.SidebarItem[] {
  return TASKS.map(([text, entries]) => ({
    text,
    collapsed: false,
    items: entries
      .filter(([, page]) => pages.has(page))
      .map(([title, page]) => ({ text: title, link: `/${page.replace(/index$/, '')}` })),
  }))
}
