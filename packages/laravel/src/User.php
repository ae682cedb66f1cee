<?php

namespace Fanfare\Laravel;

use DateTimeInterface;

/** All connections of a user. */
class User extends Target
{
    /** Puts them into the channel until `$expiresAt`; with `$stickyS` also those that the user opens in the next so many seconds. */
    public function subscribe(string $channel, mixed $info = null, ?float $stickyS = null, DateTimeInterface|int|null $expiresAt = null): array
    {
        return $this->put($channel, $info, $expiresAt, ['sticky_s' => $stickyS]);
    }

    public function unsubscribe(string $channel, ?string $message = null): array
    {
        return $this->post('unsubscribe', ['channel' => $channel, 'message' => $message]);
    }

    /** Takes them out of the channel; with `$banS` the user is kept out for so many seconds. */
    public function kick(string $channel, ?float $banS = null, ?string $message = null): array
    {
        return (new Channel($this->api, $channel))->kickOne(['user_id' => $this->name, 'ban_s' => $banS, 'message' => $message]);
    }

    public function unban(string $channel): void
    {
        $this->api->call('POST', '/channels/'.rawurlencode($channel).'/unban', ['user_id' => $this->name]);
    }

    /** Closes them; with `$revoke`, what was signed or issued for the user before is refused from now on. */
    public function disconnect(bool $revoke = true): array
    {
        return $this->post('terminate_connections', [], ['revoke' => $revoke ? 'true' : 'false']);
    }

    protected function kind(): string
    {
        return 'users';
    }
}
