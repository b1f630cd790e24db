import type { ObjectReport, ReportOf } from '#gateways/events'

type RankedKind = Exclude<ObjectReport['kind'], 'fee'>
export type StatusOf<Kind extends RankedKind> = ReportOf<Kind>['status']

/**
 * The statuses of each kind of gateway object, lowest rank first. The highest rank seen counts, so
 * the order also decides between final statuses that contradict each other:
 * - intent, charge: money that was taken is real, whatever else was said;
 * - intent, charge: `failed` is below a hold and below money, a failed attempt never hides a live one;
 * - refund, payout: succeeded or paid, then failed, is a legal sequence; the money has come back;
 * - dispute: lost over won, money we may not have is not shown as ours.
 */
export const ranks = {
  intent: [
    'requires_payment_method',
    'requires_confirmation',
    'requires_action',
    'processing',
    'failed',
    'requires_capture',
    'canceled',
    'succeeded',
  ],
  charge: ['pending', 'failed', 'authorized', 'voided', 'captured'],
  refund: ['pending', 'succeeded', 'canceled', 'failed'],
  dispute: ['inquiry', 'needs_response', 'under_review', 'closed', 'won', 'lost'],
  payout: ['pending', 'in_transit', 'paid', 'canceled', 'failed'],
} as const satisfies { [Kind in RankedKind]: readonly StatusOf<Kind>[] }

/** Final statuses of which an object can truly have had only one of each group. */
export const exclusive = {
  intent: [['canceled', 'succeeded']],
  charge: [['failed', 'voided', 'captured']],
  refund: [
    ['succeeded', 'canceled'],
    ['canceled', 'failed'],
  ],
  dispute: [['won', 'lost']],
  payout: [
    ['paid', 'canceled'],
    ['canceled', 'failed'],
  ],
} as const satisfies { [Kind in RankedKind]: readonly (readonly StatusOf<Kind>[])[] }
