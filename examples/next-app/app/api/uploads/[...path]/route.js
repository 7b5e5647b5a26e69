import { landfall } from '../../../../lib/landfall.js'

async function uploads(request) {
  const { fetch } = await landfall()
  return fetch(request)
}

export const GET = uploads
export const HEAD = uploads
export const POST = uploads
export const PATCH = uploads
export const DELETE = uploads
export const OPTIONS = uploads
