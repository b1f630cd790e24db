import type { IncomingMessage, ServerResponse } from 'node:http'
import { isObject } from '#gateways/stripe'
import type { Clock } from '#kernel/clock'
import type { Bank } from './bank.ts'
import type { Behaviour } from './behaviour.ts'
import type { Answer, Idempotency } from './idempotency.ts'
import { type ApiRequest, type ApiResult, handleApi, problem } from './routes.ts'
import type { Webhooks } from './webhooks.ts'

export type Serving = {
  readonly clock: Clock
  readonly apiKey: string | undefined
  readonly bank: Bank
  readonly idempotency: Idempotency
  readonly webhooks: Webhooks
  readonly stopping: AbortSignal
}

/** Answers one request, or leaves it hanging where its payment method says so. Never rejects. */
export async function serve(request: IncomingMessage, response: ServerResponse, serving: Serving): Promise<void> {
  // A caller that hangs up in the middle of its body, or a bug: either way this exchange is over, and only this.
  const answer = await answerTo(request, serving).catch(() => problem(500, 'api_error'))
  if (answer === 'never') return
  response.writeHead(answer.status, { 'content-type': 'application/json' }).end(JSON.stringify(answer.body))
}

async function answerTo(request: IncomingMessage, serving: Serving): Promise<Answer> {
  const url = new URL(request.url ?? '/', 'http://gateway.invalid')
  const method = request.method ?? 'GET'
  if (url.pathname === '/healthz') return { status: 200, body: { status: 'ok' } }
  if (serving.apiKey !== undefined && request.headers.authorization !== `Bearer ${serving.apiKey}`) {
    return problem(401, 'api_key_invalid')
  }
  const text = await bodyOf(request)
  const body = text === undefined ? undefined : parseBody(text)
  if (text === undefined || body === undefined) return problem(400, 'body_invalid')
  const api: ApiRequest = { method, path: url.pathname, query: url.searchParams, body }
  if (method !== 'POST') return handleApi(api, serving.bank).answer
  const key = request.headers['idempotency-key']
  return post(api, text, typeof key === 'string' ? key : undefined, serving)
}

/**
 * The work is done once for its key. What befalls its answer (waiting, getting lost) befalls it once too:
 * whoever asks again gets the kept answer, as a client that lost a response would.
 */
async function post(api: ApiRequest, text: string, key: string | undefined, serving: Serving) {
  let behaviour: Behaviour = { kind: 'approve' }
  const answer = await serving.idempotency.once(key, `${api.path}\n${text}`, async () => {
    const result = handleApi(api, serving.bank)
    behaviour = result.behaviour
    await announce(result, serving.webhooks)
    return result.answer
  })
  return befall(answer, behaviour, serving)
}

async function befall(answer: Answer, behaviour: Behaviour, { clock, stopping }: Serving): Promise<Answer> {
  if (behaviour.kind === 'slow') await clock.sleep(behaviour.ms, stopping)
  return behaviour.kind === 'timeout_after_charge' ? 'never' : answer
}

/** Webhooks race the answer, unless they are to be first. */
async function announce({ events, behaviour }: ApiResult, webhooks: Webhooks): Promise<void> {
  const done = webhooks.post(events, behaviour.kind === 'duplicate_webhooks' ? 2 : 1)
  if (behaviour.kind === 'webhook_first') await done
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
