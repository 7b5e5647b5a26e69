/** Opens the service when the server starts: not at the first request, and not while Next.js builds. */
export async function register() {
  if (process.env.NEXT_RUNTIME === 'nodejs') {
    const { landfall } = await import('./lib/landfall.js')
    await landfall()
  }
}
