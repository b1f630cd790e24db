import type { AttemptRow } from '#delivery'
import type { Box } from './box.ts'
import type { AttemptDetail } from './call.ts'
import { sequenceOf } from './message-id.ts'
import type { EndpointRow } from './sql/endpoints.ts'
import type { Message, Position } from './sql/messages.ts'

/** An endpoint as its owner sees it. A secret is never in it. */
export function endpointView(row: EndpointRow, box: Box, position: Position | undefined, now: number) {
  const { last = 0, pushed = 0, backlog = 0 } = position ?? {}
  return {
    id: row.id,
    url: box.url,
    description: box.description,
    events: [...row.patterns],
    version: row.version,
    status: row.status,
    reason: row.reason,
    failing_since: instant(row.failing_since),
    disabled_at: instant(row.disabled_at),
    rate_limit: row.rate_limit,
    /** Of secrets that were replaced: until when they sign beside the new one. */
    old_secrets_until: box.secrets.flatMap(({ until }) =>
      until !== null && until > now ? [new Date(until).toISOString()] : [],
    ),
    last_sequence: last,
    backlog: Math.max(0, backlog) + (last - pushed),
    is_behind: pushed < last,
    created_at: row.created_at.toISOString(),
    updated_at: row.updated_at.toISOString(),
  }
}

/** A message of a stream, as it is pulled: the payload is the one that is sent. */
export function messageView({ sequence, payload }: Message) {
  return { sequence, payload: JSON.parse(payload) as unknown }
}

/** One attempt. Signatures are masked; the answer is undefined where nothing came, or its key is gone. */
export function attemptView(row: AttemptRow, message: Message | undefined, answer: string | undefined) {
  const { attempt, reason, started_at: startedAt, ended_at: endedAt } = row
  const detail: AttemptDetail = JSON.parse(row.detail ?? '{}')
  const failed = detail.abandoned ?? reason
  return {
    sequence: sequenceOf(row.delivery_id),
    attempt,
    outcome: outcomeOf(row.outcome, detail),
    reason: failed ?? null,
    started_at: startedAt.toISOString(),
    duration_ms: endedAt.getTime() - startedAt.getTime(),
    request: message
      ? {
          headers: {
            'webhook-id': message.eventId,
            'webhook-timestamp': String(Math.floor(startedAt.getTime() / 1000)),
            'webhook-signature': '***',
            'millrace-sequence': String(message.sequence),
          },
          body: JSON.parse(message.payload) as unknown,
        }
      : null,
    response: detail.status === undefined ? null : { status: detail.status, ...answerOf(answer) },
  }
}

function outcomeOf(outcome: string, { abandoned }: AttemptDetail): 'taken' | 'failed' | 'abandoned' {
  if (outcome !== 'done') return 'failed'
  return abandoned === undefined ? 'taken' : 'abandoned'
}

function answerOf(text: string | undefined): { headers: Record<string, string>; body: string } {
  return text === undefined ? { headers: {}, body: '' } : JSON.parse(text)
}

function instant(at: Date | null): string | null {
  return at === null ? null : at.toISOString()
}
