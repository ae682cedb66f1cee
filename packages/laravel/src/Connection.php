<?php

namespace Fanfare\Laravel;

use DateTimeInterface;

/** One connection. */
class Connection extends Target
{
    /** Until `$expiresAt`. `$user` is who it is in a presence channel, where it is not signed in. */
    public function subscribe(string $channel, mixed $info = null, string|int|null $user = null, DateTimeInterface|int|null $expiresAt = null): array
    {
        return $this->put($channel, $info, $expiresAt, ['user_id' => $user === null ? null : (string) $user]);
    }

    public function unsubscribe(string $channel, ?string $message = null): array
    {
        return $this->post('unsubscribe', ['channel' => $channel, 'message' => $message]);
    }

    public function kick(string $channel, ?string $message = null): array
    {
        return (new Channel($this->api, $channel))->kickOne(['connection' => $this->name, 'message' => $message]);
    }

    public function disconnect(?string $message = null): array
    {
        return $this->post('disconnect', ['message' => $message]);
    }

    protected function kind(): string
    {
        return 'connections';
    }
}
