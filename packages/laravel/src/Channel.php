<?php

namespace Fanfare\Laravel;

/** A channel: who is in it, what it keeps, and all connections in it. */
class Channel extends Target
{
    /** `occupied`, and what `$info` asks for: `subscription_count`, `user_count`, `cache`. */
    public function info(string $info = 'subscription_count'): array
    {
        return $this->api->call('GET', $this->path(), query: ['info' => $info ?: null]);
    }

    /** The users in a presence channel: `id`, `info`, `joined_at_ms`, and `state`, which their clients say and nobody has checked. */
    public function members(): array
    {
        return $this->api->call('GET', "{$this->path()}/members")['members'];
    }

    /**
     * A page of what the channel keeps: `events`, `position`, `next`, `complete`, `keeps`. Bounds: `direction` (`newest`, `oldest`), `limit`,
     * `after` and `before` (`EPOCH:OFFSET`), `from_ms`, `to_ms`.
     */
    public function history(array $bounds = []): array
    {
        return $this->api->call('GET', "{$this->path()}/history", query: $bounds);
    }

    /** Where the newest event stands, for a client that is to get exactly what comes after; null where nothing is kept. */
    public function position(): ?array
    {
        return $this->history(['limit' => 0])['position'] ?? null;
    }

    /** Forgets what is kept, for good: all of it, or what is `before` a position or older than `to_ms`. Answers how many events that were. */
    public function purge(array $range = []): int
    {
        return $this->api->call('DELETE', "{$this->path()}/history", query: $range)['purged'];
    }

    /** The same for one event, by its `position` in the history. Answers whether it was there. */
    public function forget(array $position): bool
    {
        $path = "{$this->path()}/history/{$position['offset']}";

        return $this->api->call('DELETE', $path, query: ['epoch' => $position['epoch']])['purged'] > 0;
    }

    /** Takes everybody out. For one user or connection: `Fanfare::user($id)->kick($channel)`. */
    public function kick(?string $message = null): array
    {
        return $this->kickOne(['all' => true, 'message' => $message]);
    }

    /** @internal */
    public function kickOne(array $body): array
    {
        return $this->post('kick', $body);
    }

    protected function kind(): string
    {
        return 'channels';
    }
}
