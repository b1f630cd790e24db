import { base32 } from '#kernel/digest'
import { brandId, type Mode, type TenantId } from '#kernel/ids'
import type { Random } from '#kernel/random'
import type { DataOf, EventType, NewEvent } from '#log'

/** An event that follows from no other: somebody asked for it, or we saw it. Without a trace to belong to it begins one. */
export function occurrence<Type extends EventType>(
  of: Type,
  endpoint: { readonly id: string; readonly tenant: string; readonly mode: Mode },
  data: DataOf<Type>,
  { random, traceparent }: { readonly random: Random; readonly traceparent?: string },
): NewEvent {
  const id = `evt_${base32(random.bytes(17))}`
  return {
    id,
    of,
    key: endpoint.id,
    tenant: brandId<TenantId>(endpoint.tenant),
    mode: endpoint.mode,
    traceparent: traceparent ?? `00-${random.bytes(16).toString('hex')}-${random.bytes(8).toString('hex')}-01`,
    causationId: null,
    correlationId: id,
    data,
  }
}
