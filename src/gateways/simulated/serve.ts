import type { IncomingMessage, ServerResponse } from 'node:http'
import { isObject } from '#gateways/stripe'
import type { Clock } from '#kernel/clock'
import { type Answer, json, problem } from './answer.ts'
import { handleChallenge } from './challenge-page.ts'
import { handleControl } from './control.ts'
import type { Idempotency } from './idempotency.ts'
import type { ApiRequest, ApiResult } from './routes.ts'
import type { Simulation } from './simulation.ts'
import type { Webhooks } from './webhooks.ts'

export type Serving = {
  /** For waits: real ones, whatever the gateway's own clock says. */
  readonly clock: Clock
  readonly apiKey: string | undefined
  readonly simulation: Simulation
  readonly idempotency: Idempotency
  readonly webhooks: Webhooks
  readonly stopping: AbortSignal
  /** What makes a request this one and no other. */
  readonly originOf: (key: string | undefined) => string
}

/** Answers one request, or leaves it hanging where its behaviour says so. Never rejects. */
export async function serve(request: IncomingMessage, response: ServerResponse, serving: Serving): Promise<void> {
  // A caller that hangs up in the middle of its body, or a bug: either way this exchange is over, and only this.
  const answer = await answerTo(request, serving).catch(() => problem(500, 'api_error'))
  if (answer === 'never') return
  const { status, body, type = 'application/json', retryAfterSeconds } = answer
  const length = Buffer.byteLength(body)
  const headers: Record<string, string | number> = { 'content-type': type, 'content-length': length }
  if (retryAfterSeconds !== undefined) headers['retry-after'] = retryAfterSeconds
  response.writeHead(status, headers).end(body)
}

async function answerTo(request: IncomingMessage, serving: Serving): Promise<Answer> {
  const { method = 'GET', url = '/' } = request
  const mark = url.indexOf('?')
  const path = mark === -1 ? url : url.slice(0, mark)
  const query = mark === -1 ? noQuery : new URLSearchParams(url.slice(mark + 1))
  if (path === '/healthz') return json(200, { status: 'ok' })
  if (path.startsWith('/3ds/')) return handleChallenge({ method, path, query, body: {} }, serving.simulation)
  if (serving.apiKey !== undefined && request.headers.authorization !== `Bearer ${serving.apiKey}`) {
    return problem(401, 'api_key_invalid', { message: 'The API key is not the one this gateway was started with.' })
  }
  const text = method === 'POST' ? await bodyOf(request) : ''
  const body = text === undefined ? undefined : parseBody(text)
  if (text === undefined || body === undefined) {
    return problem(400, 'body_invalid', { message: 'The body must be a JSON object of at most 64 KB.' })
  }
  const key = request.headers['idempotency-key']
  return handle({ method, path, query, body }, text, typeof key === 'string' ? key : undefined, serving)
}

const noQuery = new URLSearchParams()

async function handle(api: ApiRequest, text: string, key: string | undefined, serving: Serving): Promise<Answer> {
  const { simulation, webhooks } = serving
  if (api.path === '/control' || api.path.startsWith('/control/')) {
    return handleControl({ ...api, origin: serving.originOf(undefined) }, simulation, webhooks)
  }
  if (api.method === 'POST') return post(api, text, key, serving)
  if (api.path === '/v1/events') return json(200, { object: 'list', data: latest(webhooks), has_more: false })
  return simulation.handle(api).first
}

/**
 * The work is done once for its key. What befalls its answer (waiting, getting lost) befalls it once too:
 * whoever asks again gets the kept answer, as a client that lost a response would.
 */
async function post(api: ApiRequest, text: string, key: string | undefined, serving: Serving): Promise<Answer> {
  const { simulation, idempotency, webhooks, clock, stopping } = serving
  const origin = serving.originOf(key)
  let worked: ApiResult | undefined
  const answer = await idempotency.once(key, `${api.path}\n${text}`, async () => {
    worked = simulation.handle({ ...api, origin })
    const announced = webhooks.post(worked.events, worked.behaviour.webhooks)
    // Webhooks race the answer, unless they are to be first.
    if (worked.behaviour.webhooks === 'first') await announced
    // Not all that came of it: what a key keeps is kept for a day, and the events are four times the answer.
    return { answer: worked.answer, isKept: worked.isKept }
  })
  if (worked === undefined) return answer
  if (worked.behaviour.waitMs > 0) await clock.sleep(worked.behaviour.waitMs, stopping)
  return worked.first
}

const eventsShownMax = 100

/** The newest last. */
function latest(webhooks: Webhooks): unknown[] {
  return webhooks
    .events()
    .slice(-eventsShownMax)
    .map(({ body }) => JSON.parse(body))
}

const bodyBytesMax = 64 * 1024

/** Undefined where it is too long. */
async function bodyOf(request: IncomingMessage): Promise<string | undefined> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of request) {
    const buffer = Buffer.from(chunk)
    bytes += buffer.length
    if (bytes > bodyBytesMax) return undefined
    chunks.push(buffer)
  }
  return Buffer.concat(chunks).toString('utf8')
}

function parseBody(text: string): ApiRequest['body'] | undefined {
  if (text === '') return {}
  try {
    const value: unknown = JSON.parse(text)
    return isObject(value) ? value : undefined
  } catch {
    return undefined
  }
}
