<?php

namespace Fanfare\Laravel\Webhooks;

/** Which class each event of a webhook becomes. */
final class WebhookEvents
{
    /** @param int $timeMs when the first event of the webhook happened */
    public static function of(array $event, int $timeMs): WebhookEvent
    {
        $channel = (string) ($event['channel'] ?? '');
        $user = isset($event['user_id']) ? (string) $event['user_id'] : null;

        return match ($event['name'] ?? null) {
            'channel_occupied' => new ChannelOccupied($channel, $timeMs),
            'channel_vacated' => new ChannelVacated($channel, $timeMs),
            'cache_miss' => new CacheMiss($channel, $timeMs),
            'member_added' => new MemberAdded($channel, (string) $user, $timeMs),
            'member_removed' => new MemberRemoved($channel, (string) $user, $timeMs),
            'subscription_count' => new SubscriptionCount($channel, (int) $event['subscription_count'], $timeMs),
            'client_event' => new ClientEvent(
                $channel,
                (string) $event['event'],
                (string) ($event['data'] ?? ''),
                (string) ($event['socket_id'] ?? ''),
                $user,
                $timeMs,
            ),
            default => new OtherEvent($event, $timeMs),
        };
    }
}
