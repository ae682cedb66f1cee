<?php

namespace Fanfare\Laravel\Http;

use Fanfare\Laravel\Broadcasting\FanfareBroadcaster;
use Fanfare\Laravel\Fanfare;
use Fanfare\Laravel\Hooks\Answer;
use Fanfare\Laravel\Hooks\Connect;
use Fanfare\Laravel\Hooks\Subscribe;
use Illuminate\Contracts\Auth\Factory as Auth;
use Illuminate\Contracts\Broadcasting\Factory as Broadcasting;
use Illuminate\Contracts\Config\Repository;
use Illuminate\Database\Eloquent\ModelNotFoundException;
use Illuminate\Http\Request;
use LogicException;
use Symfony\Component\HttpKernel\Exception\AccessDeniedHttpException;

/** What a hook is answered where no listener does: by Laravel's own authentication, and by routes/channels.php. */
final class HookDefaults
{
    public function __construct(
        private readonly Auth $auth,
        private readonly Broadcasting $broadcasting,
        private readonly Fanfare $fanfare,
        private readonly Repository $config,
    ) {}

    /** Whom the forwarded cookie or token belongs to. Nobody may connect, too, and then has what anybody has. */
    public function connect(Connect $hook): Answer
    {
        $user = $hook->request->user($this->config->get('fanfare.guard'));

        return $user ? Answer::user(FanfareBroadcaster::idOf($user)) : Answer::allow();
    }

    public function subscribe(Subscribe $hook): Answer
    {
        if ($hook->isProven()) {
            return Answer::allow();
        }
        $request = Request::create('/', 'POST', ['channel_name' => $hook->channel(), 'socket_id' => $hook->connection['id'] ?? '']);
        $user = $hook->userId === null ? null : $this->userOf($hook->userId);
        $request->setUserResolver(fn (?string $guard = null) => $this->isOurs($guard) ? $user : null);
        try {
            $signed = $this->broadcasting->connection()->auth($request);
        } catch (AccessDeniedHttpException|ModelNotFoundException) {
            return Answer::refuse('You may not join this channel.');
        }
        // The drivers `null` and `log` permit nothing, and refuse nothing either.
        if (! is_array($signed) || ! is_string($signed['auth'] ?? null)) {
            throw new LogicException('The broadcasting connection signs no channels: set BROADCAST_CONNECTION to fanfare.');
        }
        $member = json_decode($signed['channel_data'] ?? 'null', true);

        return $member ? Answer::member($member['user_id'], $member['user_info']) : Answer::allow();
    }

    /** The id came from Laravel itself, or from a signature or token by the app's secret. */
    private function userOf(string $id): mixed
    {
        $find = $this->fanfare->userFinder();
        if ($find !== null) {
            return $find($id);
        }
        $guard = $this->auth->guard($this->config->get('fanfare.guard'));

        return method_exists($guard, 'getProvider') ? $guard->getProvider()?->retrieveById($id) : null;
    }

    /** A channel for users of another guard is not for one who has the same id here. */
    private function isOurs(?string $guard): bool
    {
        $default = $this->config->get('auth.defaults.guard');

        return $guard === null || $guard === ($this->config->get('fanfare.guard') ?? $default);
    }
}
