//! Answers that are not 2xx: an [`ApiError`] with the status that fits.

use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse, Response},
};

use super::types::ApiError;

/// An error and its HTTP status.
#[derive(Debug)]
pub(super) struct Problem {
    status: StatusCode,
    error: ApiError,
}

impl Problem {
    /// The request is at fault, in the way that the status says.
    pub(super) fn request(status: StatusCode, error: impl Into<String>) -> Self {
        Self { status, error: ApiError { error: error.into(), usage: true } }
    }

    /// The request names something that there is not.
    pub(super) fn not_found(error: impl Into<String>) -> Self {
        Self::request(StatusCode::NOT_FOUND, error)
    }
}

impl From<ApiError> for Problem {
    fn from(error: ApiError) -> Self {
        let status = if error.usage { StatusCode::BAD_REQUEST } else { StatusCode::INTERNAL_SERVER_ERROR };
        Self { status, error }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        (self.status, Json(self.error)).into_response()
    }
}
