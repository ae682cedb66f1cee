<?php

use Fanfare\Laravel\Http\AnswerHook;
use Fanfare\Laravel\Http\AuthorizeChannels;
use Fanfare\Laravel\Http\ReadSessionOnly;
use Fanfare\Laravel\Http\ReceiveWebhook;
use Fanfare\Laravel\Http\VerifySignature;
use Illuminate\Support\Facades\Route;

// A signature, or an answer that no other origin can read, is in the place of the token. The names are those of Laravel 8, 11 and 13.
$csrf = [
    'Illuminate\Foundation\Http\Middleware\VerifyCsrfToken',
    'Illuminate\Foundation\Http\Middleware\ValidateCsrfToken',
    'Illuminate\Foundation\Http\Middleware\PreventRequestForgery',
];
$paths = config('fanfare.routes');
$middleware = (array) config('fanfare.middleware');

if ($paths['webhook'] ?? null) {
    Route::post($paths['webhook'], ReceiveWebhook::class)->middleware(VerifySignature::class)->name('fanfare.webhook');
}
if ($paths['hooks'] ?? null) {
    Route::post($paths['hooks'], AnswerHook::class)
        ->middleware([VerifySignature::class, ...$middleware, ReadSessionOnly::class])
        ->withoutMiddleware($csrf)
        ->name('fanfare.hooks');
}
if ($paths['authorize'] ?? null) {
    Route::post($paths['authorize'], AuthorizeChannels::class)
        ->middleware($middleware)
        ->withoutMiddleware($csrf)
        ->name('fanfare.authorize');
}
