<?php

namespace App;

use Fanfare\Laravel\Api\Credentials;
use Fanfare\Laravel\Broadcasting\ChannelSigner;
use Fanfare\Laravel\Hooks;
use Fanfare\Laravel\Webhooks\WebhookEvent;
use Illuminate\Broadcasting\BroadcastManager;
use Illuminate\Foundation\Http\Middleware\VerifyCsrfToken;
use Illuminate\Http\Request;
use Illuminate\Support\Facades\Broadcast;
use Illuminate\Support\Facades\DB;
use Illuminate\Support\Facades\Event;
use Illuminate\Support\Facades\Route;
use Illuminate\Support\ServiceProvider;

class AppProvider extends ServiceProvider
{
    public function boot(): void
    {
        Broadcast::routes();
        $describe = fn ($request) => ['id' => (string) $request->user()->id, 'user_info' => ['name' => $request->user()->name]];
        if (method_exists(BroadcastManager::class, 'userRoutes')) {
            Broadcast::userRoutes();
            Broadcast::resolveAuthenticatedUserUsing($describe);
        } else {
            // Laravel 8 leaves the route to the application.
            $signer = fn () => new ChannelSigner($this->app->make(Credentials::class), null);
            $answer = fn (Request $request) => $signer()->user($request->input('socket_id'), $describe($request));
            Route::middleware('web')->post('/broadcasting/user-auth', $answer)->withoutMiddleware(VerifyCsrfToken::class);
        }
        if (is_file($this->app->basePath('routes/channels.php'))) {
            require $this->app->basePath('routes/channels.php');
        }
        Route::middleware('web')->group($this->app->basePath('routes/web.php'));

        Event::listen(Hooks\Connect::class, function (Hooks\Connect $hook) {
            return isset($hook->query()['banned']) ? Hooks\Answer::refuse('You are banned.') : null;
        });
        $identity = fn (User $user) => Hooks\Answer::user($user->id, ['name' => $user->name])->with(['channels' => ['presence-hall']]);
        Event::listen(Hooks\Connect::class, function (Hooks\Connect $hook) use ($identity) {
            return isset($hook->query()['named']) ? $identity($hook->request->user()) : null;
        });
        Event::listen(Hooks\Subscribe::class, function (Hooks\Subscribe $hook) {
            return $hook->wantsToWatch() && $hook->userId === '2' ? Hooks\Answer::watch() : null;
        });
        Event::listen(Hooks\Authenticate::class, fn (Hooks\Authenticate $hook) => $identity(User::find($hook->userId)));
        Event::listen(Hooks\Publish::class, function (Hooks\Publish $hook) {
            return $hook->payload() === 'spam' ? Hooks\Answer::drop() : true;
        });
        Event::listen(Hooks\Call::class, fn (Hooks\Call $hook) => match ($hook->event()) {
            'whoami' => Hooks\Answer::result(['id' => $hook->userId, 'sent' => $hook->data()]),
            default => null,
        });
        Event::listen(Hooks\Disconnect::class, fn (Hooks\Disconnect $hook) => self::note("disconnect of {$hook->userId}"));
        Event::listen(WebhookEvent::class, fn (WebhookEvent $event) => self::note(class_basename($event) . ' ' . ($event->channel ?? '')));
    }

    private static function note(string $what): void
    {
        DB::table('notes')->insert(['what' => $what]);
    }
}
